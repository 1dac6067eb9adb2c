import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_RESPONSE_HEAD_BYTES, ResponseError, ResponseParser } from './response-parser.ts';

interface Parsed {
  heads: number[];
  body: string;
  /** undefined: the response is not complete. */
  keepAliveMs?: number | null;
  retryAfter?: string | null;
}

/** Feeds the bytes in these pieces; then the peer closes, if it does. */
function parse(pieces: Buffer[], closes = false): Parsed {
  const parser = new ResponseParser();
  const parsed: Parsed = { heads: [], body: '' };
  parser.expect({
    onHead: (head) => {
      parsed.heads.push(head.status);
      parsed.retryAfter = head.retryAfter;
    },
    onBody: (chunk) => {
      parsed.body += chunk.toString('latin1');
    },
    onEnd: (keepAliveMs) => {
      parsed.keepAliveMs = keepAliveMs;
    },
  });
  for (const piece of pieces) parser.feed(piece);
  if (closes) parser.close();
  return parsed;
}

const response = (...lines: string[]): Buffer => Buffer.from(lines.join('\r\n'), 'latin1');
const OK = 'HTTP/1.1 200 OK';

const COMPLETE: [name: string, bytes: Buffer, parsed: Parsed][] = [
  [
    'length',
    response(OK, 'Content-Length: 5', '', 'hello'),
    { heads: [200], body: 'hello', keepAliveMs: null, retryAfter: null },
  ],
  [
    'no body',
    response(OK, 'content-length:0', '', ''),
    { heads: [200], body: '', keepAliveMs: null, retryAfter: null },
  ],
  ['204', response('HTTP/1.1 204 No Content', '', ''), { heads: [204], body: '', keepAliveMs: null, retryAfter: null }],
  [
    '304 with a length',
    response('HTTP/1.1 304', 'content-length: 9', '', ''),
    { heads: [304], body: '', keepAliveMs: null, retryAfter: null },
  ],
  [
    'chunked',
    response(OK, 'transfer-encoding: chunked', '', '5;x=y', 'hello', 'A', ' world 123', '0', 'trailer: 1', '', ''),
    { heads: [200], body: 'hello world 123', keepAliveMs: null, retryAfter: null },
  ],
  [
    'informational',
    response('HTTP/1.1 100 Continue', '', 'HTTP/1.1 103 Early Hints', 'link: a', '', OK, 'content-length: 2', '', 'ok'),
    { heads: [100, 103, 200], body: 'ok', keepAliveMs: null, retryAfter: null },
  ],
  [
    'closing',
    response(OK, 'Connection: foo, Close', 'content-length: 0', '', ''),
    { heads: [200], body: '', keepAliveMs: 0, retryAfter: null },
  ],
  [
    'HTTP/1.0',
    response('HTTP/1.0 200 OK', 'content-length: 0', '', ''),
    { heads: [200], body: '', keepAliveMs: 0, retryAfter: null },
  ],
  [
    'HTTP/1.0 that stays',
    response('HTTP/1.0 200 OK', 'connection: keep-alive', 'keep-alive: max=3, timeout=7', 'content-length: 0', '', ''),
    { heads: [200], body: '', keepAliveMs: 7000, retryAfter: null },
  ],
  [
    'retry-after',
    response('HTTP/1.1 429 Too Many Requests', 'Retry-After:  120 ', 'content-length: 0', '', ''),
    { heads: [429], body: '', keepAliveMs: null, retryAfter: '120' },
  ],
  [
    'length and coding: by the coding, and closed after',
    response(OK, 'content-length: 3', 'transfer-encoding: chunked', '', '1', 'x', '0', '', ''),
    { heads: [200], body: 'x', keepAliveMs: 0, retryAfter: null },
  ],
];

const REFUSED: [name: string, bytes: Buffer, kind: ResponseError['kind']][] = [
  ['another protocol', Buffer.from('SSH-2.0-OpenSSH\r\n'), 'protocol'],
  ['HTTP/2', response('HTTP/2 200', '', ''), 'protocol'],
  ['a status of two digits', response('HTTP/1.1 20 OK', '', ''), 'protocol'],
  ['101', response('HTTP/1.1 101 Switching Protocols', '', ''), 'protocol'],
  ['a folded line', response(OK, 'a: b', ' c', '', ''), 'protocol'],
  ['a space before the colon', response(OK, 'content-length : 5', '', 'hello'), 'protocol'],
  ['a bare line feed', Buffer.from('HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n'), 'protocol'],
  ['a NUL in a value', response(OK, 'a: \0', '', ''), 'protocol'],
  ['two lengths', response(OK, 'content-length: 1', 'content-length: 2', '', 'ab'), 'protocol'],
  ['a length with a sign', response(OK, 'content-length: +1', '', 'a'), 'protocol'],
  ['a chunk without a size', response(OK, 'transfer-encoding: chunked', '', 'x', ''), 'protocol'],
  ['a chunk longer than its size', response(OK, 'transfer-encoding: chunked', '', '1', 'xy', ''), 'protocol'],
  ['more than was asked for', response(OK, 'content-length: 0', '', 'HTTP/1.1 200 OK'), 'protocol'],
  ['a large head', response(OK, `a: ${'x'.repeat(MAX_RESPONSE_HEAD_BYTES)}`, '', ''), 'too_large'],
  ['a head that does not end', Buffer.from(`${OK}\r\na: ${'x'.repeat(MAX_RESPONSE_HEAD_BYTES)}`), 'too_large'],
];

/** The bytes cut at these places. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

describe('response parser', () => {
  test.each(COMPLETE)('reads %s, however it is split', (_, bytes, parsed) => {
    expect(parse([bytes])).toEqual(parsed);
    expect(parse([...bytes].map((byte) => Buffer.from([byte])))).toEqual(parsed);
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 6 }), (places) => {
        expect(parse(cut(bytes, places))).toEqual(parsed);
      }),
    );
  });

  test.each(REFUSED)('refuses %s, however it is split', (_, bytes, kind) => {
    const refusal = (pieces: Buffer[]): unknown => {
      try {
        parse(pieces);
        return null;
      } catch (error) {
        return error;
      }
    };
    expect(refusal([bytes])).toMatchObject({ kind });
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { maxLength: 6 }), (places) => {
        expect(refusal(cut(bytes, places))).toBeInstanceOf(ResponseError);
      }),
    );
  });

  test('a body without a length ends with the connection', () => {
    const bytes = response(OK, '', 'all of it');
    expect(parse([bytes]).keepAliveMs).toBeUndefined();
    expect(parse([bytes], true)).toMatchObject({ body: 'all of it', keepAliveMs: 0 });
  });

  test('a response that breaks off is not complete', () => {
    expect(parse([response(OK, 'content-length: 9', '', 'half')], true).keepAliveMs).toBeUndefined();
  });

  test('never fails in another way than by refusing, whatever comes', () => {
    const piece = fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.constantFrom(...COMPLETE.map(([, bytes]) => bytes)));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        try {
          parse(pieces.map((bytes) => Buffer.from(bytes)));
        } catch (error) {
          expect(error).toBeInstanceOf(ResponseError);
        }
      }),
    );
  });
});
