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
} & ({ endpointId: string } | { /** The consumer's name. */ consumer: string } | { sourceId: string });

/** An event for the log of the built-in app; `data` is `{app, endpoint, …}`, `{app, consumer, …}` or `{app, source, …}`. */
export function operationalEvent(occurrence: Occurrence): NewEvent {
  const { type, appId, which, atMs, data } = occurrence;
  const [subject, named] = subjectOf(occurrence);
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
        ...named,
        ...data,
      }),
    ),
  };
}

function subjectOf(occurrence: Occurrence): [string, object] {
  if ('endpointId' in occurrence) return [occurrence.endpointId, { endpoint: occurrence.endpointId }];
  if ('sourceId' in occurrence) return [occurrence.sourceId, { source: occurrence.sourceId }];
  return [`${occurrence.appId} ${occurrence.consumer}`, { consumer: occurrence.consumer }];
}
