// A page of the log as an HTTP response, written to the socket in the pieces it consists of: no copy is made of a page, and all who get the same
// page share them.
import type { ServerResponse } from 'node:http';
import type { LogFormat } from '../pull/log-format.ts';
import type { LogPage } from '../pull/read-page.ts';
import { writePageTag } from './page-tag.ts';

export interface LogAnswer {
  /** Names and values in turn. */
  headers: string[];
  body: Buffer[];
}

export interface AnswerOptions {
  cursor: string;
  /** null = the page is not for keeping: its signatures grow old. */
  requestHash: string | null;
  /** The page begins at a cursor, rather than wherever the log begins or ends. */
  isAnchored: boolean;
  pollAfterSeconds: number;
}

/** What does not change is kept for so long by the client. */
const KEEP_SECONDS = 3600;
/** Up to here one copy is cheaper than a piece more for the kernel. */
const COPY_BYTES = 16 * 1024;
/** A large answer that the client takes nothing of for so long is given up. */
const STALLED_MS = 30_000;
const LARGE_BYTES = 256 * 1024;

export function buildAnswer(format: LogFormat, page: LogPage, options: AnswerOptions): LogAnswer {
  const { cursor, pollAfterSeconds } = options;
  const { done } = page;
  const open = Buffer.from(format.open, 'latin1');
  const close = Buffer.from(format.close({ cursor, done, pollAfterSeconds }, page.count), 'latin1');
  const bytes = open.length + page.bytes + close.length;
  const pieces = [open, ...page.body, close];
  return {
    headers: [
      'content-type',
      format.contentType,
      'content-length',
      String(bytes),
      'tidings-cursor',
      cursor,
      'tidings-done',
      String(done),
      ...validators(page, options),
      ...retryAfter(pollAfterSeconds),
    ],
    body: bytes <= COPY_BYTES ? [Buffer.concat(pieces, bytes)] : pieces,
  };
}

function validators(page: LogPage, { requestHash, isAnchored }: AnswerOptions): string[] {
  if (requestHash === null) return ['cache-control', 'private, no-store', ...VARY];
  const { start, cursor, done } = page;
  const tag = writePageTag({ start: start.position, end: cursor.position, done }, requestHash);
  return ['etag', tag, ...freshness(isAnchored && !done)];
}

const VARY = ['vary', 'authorization, accept'];

function freshness(isLasting: boolean): string[] {
  return ['cache-control', isLasting ? `private, max-age=${KEEP_SECONDS}, immutable` : 'private, no-cache', ...VARY];
}

function retryAfter(seconds: number): string[] {
  return seconds > 0 ? ['retry-after', String(seconds)] : [];
}

/** Nothing has changed: 304. */
export function writeNotModified(
  response: ServerResponse,
  { tag, isLasting, pollAfterSeconds }: { tag: string; isLasting: boolean; pollAfterSeconds: number },
  more: readonly string[] = [],
): void {
  response.writeHead(304, ['etag', tag, ...freshness(isLasting), ...retryAfter(pollAfterSeconds), ...more]);
  response.end();
}

export function writeAnswer(response: ServerResponse, answer: LogAnswer, more: readonly string[] = []): void {
  const { headers, body } = answer;
  response.writeHead(200, more.length === 0 ? headers : [...headers, ...more]);
  if (body.length === 1) {
    response.end(body[0]);
    return;
  }
  response.cork();
  let bytes = 0;
  for (const piece of body) {
    response.write(piece);
    bytes += piece.length;
  }
  if (bytes > LARGE_BYTES) response.setTimeout(STALLED_MS);
  response.end();
}
