// What an operational event looks like, whoever tells it. Its id is made of what happened, so that telling it twice appends it once
// (design rule 19).
import { createHash } from 'node:crypto';
import type { NewEvent } from './event.ts';

export interface Occurrence {
  type: string;
  appId: string;
  endpointId: string;
  /** Which of its kind: such as the minute or the day that it is told of. */
  which: string | number;
  /** Milliseconds since 1970. */
  atMs: number;
  data: object;
}

/** An event for the log of the built-in app; `data` is `{app, endpoint, …}`. */
export function operationalEvent({ type, appId, endpointId, which, atMs, data }: Occurrence): NewEvent {
  const id = createHash('sha256').update(`${type} ${endpointId} ${which}`).digest('base64url');
  return {
    id: `op_${id}`,
    ownId: true,
    type,
    timeMs: atMs,
    timeGiven: true,
    channels: [],
    data: Buffer.from(JSON.stringify({ app: appId, endpoint: endpointId, ...data })),
  };
}
