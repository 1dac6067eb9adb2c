// What an operational event looks like, whoever tells it. Its id is made of what happened, so that telling it twice appends it once
// (design rule 19).
import { createHash } from 'node:crypto';
import type { NewEvent } from './event.ts';

export type Occurrence = {
  type: string;
  appId: string;
  /** Which of its kind: such as the minute or the day that it is told of. */
  which: string | number;
  /** Milliseconds since 1970. */
  atMs: number;
  data: object;
} & ({ endpointId: string } | { /** The consumer's name. */ consumer: string });

/** An event for the log of the built-in app; `data` is `{app, endpoint, …}` or `{app, consumer, …}`. */
export function operationalEvent(occurrence: Occurrence): NewEvent {
  const { type, appId, which, atMs, data } = occurrence;
  const isOfEndpoint = 'endpointId' in occurrence;
  const subject = isOfEndpoint ? occurrence.endpointId : `${appId} ${occurrence.consumer}`;
  const id = createHash('sha256').update(`${type} ${subject} ${which}`).digest('base64url');
  return {
    id: `op_${id}`,
    ownId: true,
    type,
    timeMs: atMs,
    timeGiven: true,
    channels: [],
    data: Buffer.from(
      JSON.stringify({
        app: appId,
        ...(isOfEndpoint ? { endpoint: subject } : { consumer: occurrence.consumer }),
        ...data,
      }),
    ),
  };
}
