// From what the sandbox answered to a verdict. What the user's code says of the request is held to the same rules as what a user configures: it can
// change neither the host that is called nor the headers that are Tidings' own.
import { EVENT_TYPE_PATTERN } from '../core/event.ts';
import { headerNameFault, headerValueFault } from '../core/request-header.ts';
import { parseTime } from '../core/time.ts';
import {
  describeError,
  MAX_TRANSFORMED_BYTES,
  TRANSFORMATION_METHODS,
  type TransformationMethod,
  type Verdict,
} from '../core/transformation.ts';
import type { AnswerHead } from './harness.ts';
import type { SandboxAnswer } from './sandbox.ts';

/** The event as it was given. */
export interface GivenEvent {
  type: string;
  timeMs: number;
  data: Buffer;
}

const MAX_PATH_CHARS = 2048;
const MAX_HEADERS = 32;
const MAX_HEADER_BYTES = 8192;
/** Visible characters of ASCII that a request line may hold (RFC 9112, section 3.2). */
const PATH_PATTERN = /^\/[\x21\x22\x24-\x7e]*$/;
const MAX_REASON_CHARS = 500;

type SentHead = Extract<AnswerHead, { kind: 'sent' }>;

/** What the user's code returned cannot be sent. */
class Unusable extends Error {}

export function toVerdict(answer: SandboxAnswer, given: GivenEvent): Verdict {
  if (!answer.ok) return { kind: 'failed', reason: answer.reason, error: answer.error };
  const { head, payload } = answer;
  if (head.kind === 'filtered') return { kind: 'filtered', reason: reasonOf(head.console) };
  if (head.kind === 'failed') throw new Error('A failure is no answer.');
  try {
    return sentOf(head, Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength), given);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return {
      kind: 'failed',
      reason: 'transform_error',
      error: { message: error.message, line: null, column: null },
    };
  }
}

/** What the code wrote, whatever came of it. */
export function consoleOf(answer: SandboxAnswer): string[] {
  return answer.ok ? answer.head.console : answer.console;
}

/** A verdict in a sentence, as it is kept with the attempt. */
export function describeVerdict(verdict: Exclude<Verdict, { kind: 'sent' }>, version: number): string {
  if (verdict.kind === 'filtered')
    return `Version ${version} of the transformation returned null. ${verdict.reason}`.trim();
  if (verdict.kind === 'failed')
    return `Version ${version} of the transformation failed: ${describeError(verdict.error)}`;
  return `The transformation could not be run: ${verdict.message}`;
}

/** What it wrote last before it returned null is taken for why. */
function reasonOf(console: readonly string[]): string {
  return (console[console.length - 1] ?? '').slice(0, MAX_REASON_CHARS);
}

function sentOf(head: SentHead, payload: Buffer, given: GivenEvent): Verdict {
  if (payload.length > MAX_TRANSFORMED_BYTES) {
    throw new Unusable(`It returned ${payload.length} bytes; at most ${MAX_TRANSFORMED_BYTES} are allowed.`);
  }
  const { contentType, headers } = headersOf(head.headers);
  return {
    kind: 'sent',
    type: typeOf(head.type, given),
    timeMs: timeOf(head.time, given),
    data: head.payload === 'data' ? payload : given.data,
    body: bodyOf(head, payload, contentType),
    method: methodOf(head.method),
    path: pathOf(head.path),
    headers,
    ...(head.channels !== undefined && { channels: head.channels }),
  };
}

function bodyOf(
  { payload: kind }: SentHead,
  payload: Buffer,
  contentType: string | null,
): { bytes: Buffer; contentType: string } | null {
  if (kind === 'text') {
    const bytes = Buffer.from(JSON.parse(payload.toString('utf8')) as string, 'utf8');
    return { bytes, contentType: contentType ?? 'text/plain; charset=utf-8' };
  }
  if (kind === 'json') return { bytes: payload, contentType: contentType ?? 'application/json' };
  if (kind === 'none') return { bytes: Buffer.alloc(0), contentType: contentType ?? 'application/json' };
  if (contentType !== null) {
    throw new Unusable('A `content-type` can be given with a `body` only: that of an event follows from the format.');
  }
  return null;
}

function typeOf(type: unknown, given: GivenEvent): string {
  if (type === undefined) return given.type;
  if (typeof type === 'string' && EVENT_TYPE_PATTERN.test(type)) return type;
  throw new Unusable('The `type` that it returned is no event type: 1 to 128 of the characters A-Z a-z 0-9 _ . -');
}

function timeOf(time: unknown, given: GivenEvent): number {
  if (time === undefined) return given.timeMs;
  const timeMs = typeof time === 'string' ? parseTime(time) : null;
  if (timeMs !== null) return timeMs;
  throw new Unusable('The `time` that it returned is not in the form of RFC 3339, such as 2026-11-21T10:00:00.000Z.');
}

function methodOf(method: unknown): TransformationMethod | null {
  if (method === undefined) return null;
  const known = TRANSFORMATION_METHODS.find((one) => one === method);
  if (known !== undefined) return known;
  throw new Unusable(`The \`method\` that it returned is none of ${TRANSFORMATION_METHODS.join(', ')}.`);
}

function pathOf(path: unknown): string | null {
  if (path === undefined) return null;
  if (typeof path === 'string' && path.length <= MAX_PATH_CHARS && PATH_PATTERN.test(path)) return path;
  throw new Unusable(
    `The \`path\` that it returned is no path: it begins with / and has at most ${MAX_PATH_CHARS} characters, without spaces and #; others are percent-encoded.`,
  );
}

function headersOf(given: unknown): { contentType: string | null; headers: Record<string, string> | null } {
  if (given === undefined || given === null) return { contentType: null, headers: null };
  if (typeof given !== 'object' || Array.isArray(given)) {
    throw new Unusable('The `headers` that it returned are no object of names and values.');
  }
  const headers: Record<string, string> = {};
  let contentType: string | null = null;
  let bytes = 0;
  for (const [name, raw] of Object.entries(given)) {
    const lower = name.toLowerCase();
    const value = typeof raw === 'number' || typeof raw === 'boolean' ? String(raw) : raw;
    const fault = (lower === 'content-type' ? null : headerNameFault(name)) ?? headerValueFault(value);
    if (fault !== null) throw new Unusable(`The header \`${name}\` that it returned ${fault}`);
    bytes += name.length + String(value).length + ': \r\n'.length;
    if (lower === 'content-type') contentType = value;
    else headers[lower] = value;
  }
  if (Object.keys(headers).length > MAX_HEADERS || bytes > MAX_HEADER_BYTES) {
    throw new Unusable(`It returned more than ${MAX_HEADERS} headers, or more than ${MAX_HEADER_BYTES} bytes of them.`);
  }
  return { contentType, headers };
}
