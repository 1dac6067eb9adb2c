// A source's JavaScript between its filter and the log. What an endpoint's code fails on is dead and can be resent; here there is no event yet, so
// nothing is acknowledged before the code has said what it is: whoever sent it, or the next run, comes again.
import type { TidingsError } from '../core/errors.ts';
import { CHANNEL_PATTERN, MAX_CHANNELS, type NewEvent } from '../core/event.ts';
import { checkJson } from '../core/json-scan.ts';
import { encodeOrigin, type Origin, parseOrigin } from '../core/origin.ts';
import type { Transformation, TransformationFailure, Verdict } from '../core/transformation.ts';
import type { TransformPool } from '../transform/transform-pool.ts';
import { describeVerdict } from '../transform/verdict.ts';

/** What became of an event; `detail` is told to the user. */
export type Transformed =
  | { kind: 'event'; event: NewEvent }
  | { kind: 'filtered'; detail: string }
  | { kind: 'failed'; reason: TransformationFailure; detail: string }
  /** Nothing the code could help: it is to come again. */
  | { kind: 'unavailable'; detail: string };

export interface TransformedRequest {
  appId: string;
  /** One that has code. */
  transform: Transformation;
  event: NewEvent;
  /** For room among the app's transformations, and for what the code says. */
  maxWaitMs: number;
}

/** Events of one app that are under way at once; each holds its body, and somebody who waits for an answer. */
const MAX_WAITING_PER_APP = 256;
const NO_ROOM: Verdict = {
  kind: 'unavailable',
  message: 'those of its app use all of the processor that they may',
};

export class SourceTransforms {
  readonly #pool: Pick<TransformPool, 'run' | 'hasRoom'>;
  /** By app. */
  readonly #waiting = new Map<string, number>();

  constructor(pool: Pick<TransformPool, 'run' | 'hasRoom'>) {
    this.#pool = pool;
  }

  /** What the code makes of an event that came in. Never rejects. */
  async apply({ appId, transform, event, maxWaitMs }: TransformedRequest): Promise<Transformed> {
    const { version } = transform;
    const { id, type, timeMs, channels, data, origin } = event;
    const received = origin === undefined ? null : parseOrigin(origin);
    const request = received === null ? {} : { request: { headers: headersOf(received) } };
    const given = { id, type, timeMs, channels, data, ...request };
    const run = (): Promise<Verdict> => this.#pool.run({ appId, code: transform.code ?? '', event: given });
    const verdict = await this.#whenRoom(appId, maxWaitMs, run);
    if (verdict.kind === 'sent') return transformed(event, received, verdict, version);
    const detail = describeVerdict(verdict, version);
    return verdict.kind === 'failed'
      ? { kind: 'failed', reason: verdict.reason, detail }
      : { kind: verdict.kind, detail };
  }

  async #whenRoom(appId: string, maxWaitMs: number, run: () => Promise<Verdict>): Promise<Verdict> {
    const waiting = this.#waiting.get(appId) ?? 0;
    if (waiting >= MAX_WAITING_PER_APP) return NO_ROOM;
    this.#waiting.set(appId, waiting + 1);
    try {
      return await this.#wait(appId, maxWaitMs, run);
    } finally {
      const left = this.#waiting.get(appId)! - 1;
      if (left === 0) this.#waiting.delete(appId);
      else this.#waiting.set(appId, left);
    }
  }

  // Whoever is woken runs before the next is woken: of all that wait only so many go on as there is room for. A run that is not done in time counts
  // for nothing, whatever it says later: nobody waits for its answer any more.
  #wait(appId: string, maxWaitMs: number, run: () => Promise<Verdict>): Promise<Verdict> {
    return new Promise((resolve) => {
      let isWaiting = true;
      const end = (verdict: Verdict): void => {
        isWaiting = false;
        clearTimeout(timer);
        resolve(verdict);
      };
      const timer = setTimeout(() => end(NO_ROOM), maxWaitMs);
      const waiter = {
        wake: () => {
          if (!isWaiting || !this.#pool.hasRoom(appId, waiter)) return;
          isWaiting = false;
          void run().then(end);
        },
      };
      waiter.wake();
    });
  }
}

function headersOf({ contentType, headers }: Origin): Record<string, string> {
  return contentType === '' ? { ...headers } : { 'content-type': contentType, ...headers };
}

function transformed(
  event: NewEvent,
  received: Origin | null,
  verdict: Extract<Verdict, { kind: 'sent' }>,
  version: number,
): Transformed {
  const { type, timeMs, data, channels = event.channels } = verdict;
  const isSame = data === event.data;
  const message = requestFault(verdict) ?? channelsFault(channels) ?? (isSame ? null : dataFault(data));
  if (message !== null) {
    const failed = { kind: 'failed', reason: 'transform_error', error: { message, line: null, column: null } } as const;
    return { kind: 'failed', reason: failed.reason, detail: describeVerdict(failed, version) };
  }
  const changed: NewEvent = { ...event, type, timeMs, channels: channels as string[] };
  if (isSame) return { kind: 'event', event: changed };
  const origin = received === null ? {} : { origin: encodeOrigin({ ...received, body: 'changed' }) };
  // Of its own: what the sandbox returned is a part of something larger.
  return { kind: 'event', event: { ...changed, data: Buffer.from(data), ...origin } };
}

function requestFault({ body, method, path, headers }: Extract<Verdict, { kind: 'sent' }>): string | null {
  if (body === null && method === null && path === null && headers === null) return null;
  return 'It returned a request, but a source sends nothing. Return an event with `data`, or null.';
}

function channelsFault(channels: unknown): string | null {
  const areChannels =
    Array.isArray(channels) &&
    channels.length <= MAX_CHANNELS &&
    channels.every((channel) => typeof channel === 'string' && CHANNEL_PATTERN.test(channel));
  if (areChannels) return null;
  return `The \`channels\` that it returned are not an array of at most ${MAX_CHANNELS} texts, each 1 to 128 of the characters A-Z a-z 0-9 . _ : / and -.`;
}

function dataFault(data: Buffer): string | null {
  try {
    checkJson(data);
    return null;
  } catch (error) {
    const [fault] = (error as TidingsError).errors ?? [];
    return `The \`data\` that it returned cannot be an event's: ${fault?.message}.`;
  }
}
