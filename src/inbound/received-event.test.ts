import { describe, expect, test } from 'vitest';
import { originalBody, parseOrigin } from '../core/origin.ts';
import { receivedEvent } from './received-event.ts';

function received(rawBody: Buffer | string, headers: Record<string, string | string[]> = {}, secrets: string[] = []) {
  const request = {
    method: 'POST',
    query: new URLSearchParams(),
    headers,
    rawBody: Buffer.from(rawBody as string),
    remoteAddress: '127.0.0.1',
  };
  const event = receivedEvent(request, { id: 'evt_1', type: 'a.b', timeMs: 1, channels: ['c'], secrets });
  const origin = parseOrigin(event.origin!);
  return { event, origin, data: JSON.parse(event.data.toString('utf8')), body: originalBody(event.data, origin) };
}

describe('received event', () => {
  test('has JSON as it came', () => {
    const json = '\n{ "a" : 1.50, "b": "\\u0000" } ';
    const { event, origin } = received(json, { 'content-type': 'text/plain' });
    expect(event.data.toString()).toBe(json);
    expect(event).toMatchObject({ id: 'evt_1', type: 'a.b', timeMs: 1, channels: ['c'], ownId: false });
    expect(origin).toMatchObject({ contentType: 'text/plain', body: 'data' });
  });

  test.each([
    ['a=1&b=%C3%BC&b=2', 'application/x-www-form-urlencoded', { form: { a: '1', b: ['ü', '2'] } }],
    ['plain \ufeff text', 'text/plain', {}],
    ['{"not": json}', 'application/json', {}],
    ['', '', {}],
  ])('has %j of type %j as text', (text, contentType, more) => {
    const { data, body, origin } = received(text, contentType === '' ? {} : { 'content-type': contentType });
    expect(data).toEqual({ contentType, text, ...more });
    expect(origin.body).toBe('text');
    expect(body?.toString()).toBe(text);
  });

  test('has what is no text in base64', () => {
    const bytes = Buffer.from([0xff, 0, 0x80]);
    const { data, body } = received(bytes, { 'content-type': 'image/png' });
    expect(data).toEqual({ contentType: 'image/png', base64: bytes.toString('base64') });
    expect(body?.equals(bytes)).toBe(true);
  });

  test('keeps the headers that a handler may want, and no secret', () => {
    const headers = {
      'x-hub-signature-256': 'sha256=1',
      'x-note': 'with a-long-secret in it',
      'x-twice': ['1', '2'],
      'x-forwarded-for': '1.2.3.4',
      'x-bad': 'a\u0001b',
      authorization: 'Bearer x',
      cookie: 'a=1',
      host: 'example.com',
      'content-length': '2',
      'user-agent': 'Hookshot',
    };
    const { origin } = received('{}', headers, ['a-long-secret', '']);
    expect(origin.headers).toEqual({ 'x-hub-signature-256': 'sha256=1', 'user-agent': 'Hookshot' });
  });

  test('keeps 8 KiB of headers at most', () => {
    const headers = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`x-${n}`, 'v'.repeat(1000)]));
    expect(Object.keys(received('{}', headers).origin.headers)).toHaveLength(8);
  });
});
