import { describe, expect, test } from 'vitest';
import { MAX_HEADER_CHARS, RequestView } from './webhook-request.ts';

function view(body: string | Buffer, headers: Record<string, string | string[]> = {}): RequestView {
  return new RequestView({
    method: 'POST',
    query: new URLSearchParams('a=b'),
    headers,
    rawBody: Buffer.from(body),
    remoteAddress: '192.0.2.1',
  });
}

describe('request view', () => {
  test('takes a header that came once', () => {
    const request = view('', {
      once: 'value',
      empty: '',
      none: [],
      twice: ['a', 'a'],
      long: 'x'.repeat(MAX_HEADER_CHARS + 1),
      odd: 'a\u0000',
    });
    expect(request.header('once')).toEqual({ kind: 'value', value: 'value' });
    for (const name of ['empty', 'none', 'absent']) expect(request.header(name).kind).toBe('missing');
    for (const name of ['twice', 'long', 'odd']) expect(request.header(name).kind).toBe('malformed');
  });

  test('reads members of a JSON body', () => {
    const request = view('{"a":{"b":[{"c":"d"}]},"n":7,"big":12345678901234567890,"f":1.5,"t":true,"e":""}');
    expect(request.bodyText('a.b.0.c')).toBe('d');
    expect(request.bodyText('a.b.[].c')).toBe('d');
    expect(request.bodyText('n')).toBe('7');
    // Two ids could become one.
    for (const path of ['big', 'f', 't', 'e', 'a', 'a.b.1.c', 'constructor', '__proto__', 'a.b.length']) {
      expect(request.bodyText(path), path).toBeNull();
    }
    expect(view('[{"id":"1"},{"id":"2"}]').bodyText('[].id')).toBeNull();
  });

  test('reads the fields of a form, and JSON in its payload', () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const request = view('command=%2Fdeploy&payload=%7B%22type%22%3A%22x%22%7D', headers);
    expect(request.bodyText('command')).toBe('/deploy');
    expect(request.bodyText('payload.type')).toBe('x');
  });

  test('finds nothing in a body that is neither', () => {
    for (const body of ['', 'text', '{', 'null', '7', Buffer.from([0xff, 0xfe])]) {
      expect(view(body).bodyText('a')).toBeNull();
    }
  });

  test('joins values that count only together', () => {
    const request = view('{"id":"1"}', { source: '/s' });
    expect(request.pick([{ header: 'source' }, { body: 'id' }])).toBe('/s:1');
    expect(request.pick([{ header: 'absent' }, { body: 'id' }])).toBeNull();
    expect(request.pick({ query: 'a' })).toBe('b');
  });
});
