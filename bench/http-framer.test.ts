import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HttpFramer } from './http-framer.ts';

function framer() {
  const frames: { head: string; body: string }[] = [];
  const parser = new HttpFramer((bytes, start, bodyStart, end) => {
    frames.push({
      head: bytes.toString('latin1', start, bodyStart - 4),
      body: bytes.toString('latin1', bodyStart, end),
    });
  });
  return { parser, frames };
}

describe('http framer', () => {
  test('finds the same frames however the stream is cut into packets', () => {
    const frame = fc.record({
      name: fc.constantFrom('content-length', 'Content-Length', 'CONTENT-LENGTH'),
      body: fc.string({ maxLength: 40 }).map((text) => `${Buffer.from(text).toString('base64')}\r\n\r\nPOST`),
    });
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(400)), (sent, cuts) => {
        const expected = sent.map(({ name, body }, i) => ({
          head: `POST /r/${i} HTTP/1.1\r\nhost: a\r\n${name}: ${body.length}\r\nx: y`,
          body,
        }));
        const stream = Buffer.from(expected.map(({ head, body }) => `${head}\r\n\r\n${body}`).join(''), 'latin1');
        const borders = [0, ...cuts.map((cut) => cut % stream.length), stream.length].sort((a, b) => a - b);
        const { parser, frames } = framer();
        const reused = Buffer.alloc(stream.length);
        for (let i = 1; i < borders.length; i++) {
          const length = stream.copy(reused, 0, borders[i - 1], borders[i]);
          parser.push(reused.subarray(0, length));
          reused.fill(0);
        }
        expect(frames).toEqual(expected);
      }),
    );
  });

  test('finds frames in single bytes', () => {
    const { parser, frames } = framer();
    for (const byte of Buffer.from(
      'HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 204 No Content\r\n\r\n',
    )) {
      parser.push(Buffer.from([byte]));
    }
    expect(frames).toEqual([
      { head: 'HTTP/1.1 202 Accepted\r\ncontent-length: 2', body: '{}' },
      { head: 'HTTP/1.1 204 No Content', body: '' },
    ]);
  });

  test('gives a request without content-length an empty body', () => {
    const { parser, frames } = framer();
    parser.push(Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
    expect(frames).toEqual([{ head: 'GET / HTTP/1.1\r\nhost: a', body: '' }]);
  });

  test('refuses framing it does not know', () => {
    expect(() => framer().parser.push(Buffer.from('POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n'))).toThrow(
      'transfer-encoding',
    );
    expect(() => framer().parser.push(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow('no content-length');
    expect(() => framer().parser.push(Buffer.alloc(70_000, 'a'))).toThrow('longer than 65536 bytes');
  });
});
