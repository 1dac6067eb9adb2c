// One run that was asked for, until it has a verdict.
import { createHash } from 'node:crypto';
import type { FormattedEvent } from '../core/formats/event-format.ts';
import { formatTime } from '../core/time.ts';
import type { SandboxAnswer } from './sandbox.ts';

/** What is asked of the pool. */
export interface RunRequest {
  appId: string;
  code: string;
  event: Pick<FormattedEvent, 'id' | 'type' | 'timeMs' | 'channels' | 'data'> & {
    /** What brought it, of one that came in from outside. */
    request?: { headers: Record<string, string> };
  };
}

/** How a run ended: an answer, or nothing that the code could help. */
export type RunEnd = { answer: SandboxAnswer; durationMs: number } | { unavailable: string };

export interface QueuedRun {
  /** Apps never share a sandbox, even for the same code. */
  key: string;
  code: string;
  json: Buffer;
  nowMs: number;
  seed: number;
  /** Threads that were lost while it ran. */
  losses: number;
  done(end: RunEnd): void;
}

/** Without an event the code is only loaded. */
export function queueRun(
  { appId, code }: Omit<RunRequest, 'event'>,
  event: RunRequest['event'] | null,
  done: (end: RunEnd) => void,
): QueuedRun {
  return {
    key: `${appId} ${hashOf(code)}`,
    code,
    json: event === null ? Buffer.alloc(0) : jsonOf(event),
    nowMs: event?.timeMs ?? 0,
    seed: event === null ? 0 : seedOf(event.id),
    losses: 0,
    done,
  };
}

/** The event as the code sees it, with the published bytes of `data`. */
function jsonOf({ id, type, timeMs, channels, request, data }: RunRequest['event']): Buffer {
  const from = request === undefined ? '' : `"request":${JSON.stringify(request)},`;
  const head = `{"id":${JSON.stringify(id)},"type":${JSON.stringify(type)},"time":"${formatTime(timeMs)}","channels":${JSON.stringify(channels)},${from}"data":`;
  return Buffer.concat([Buffer.from(head), data, CLOSE]);
}

const CLOSE = Buffer.from('}');

/** FNV-1a of the event's id: the same event has the same random numbers. */
function seedOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash | 0;
}

// A handful of codes is asked for again and again.
const hashes = new Map<string, string>();
const MAX_HASHES = 1000;

function hashOf(code: string): string {
  let hash = hashes.get(code);
  if (hash === undefined) {
    hash = createHash('sha256').update(code).digest('base64');
    if (hashes.size >= MAX_HASHES) hashes.clear();
    hashes.set(code, hash);
  }
  return hash;
}
