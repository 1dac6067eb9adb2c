import { describe, expect, test } from 'vitest';
import type { AnswerHead, Payload } from './harness.ts';
import { describeVerdict, type GivenEvent, toVerdict } from './verdict.ts';

const GIVEN: GivenEvent = {
  type: 'invoice.paid',
  timeMs: 1_795_000_000_000,
  data: Buffer.from('{"a":12345678901234567890}'),
};

const verdictOf = (head: Partial<Extract<AnswerHead, { kind: 'sent' }>>, payload = '') =>
  toVerdict(
    { ok: true, head: { kind: 'sent', console: [], payload: 'same', ...head }, payload: Buffer.from(payload) },
    GIVEN,
  );

describe('verdict', () => {
  test('of an event that was not touched has the published bytes', () => {
    expect(verdictOf({})).toEqual({
      kind: 'sent',
      ...GIVEN,
      body: null,
      method: null,
      path: null,
      headers: null,
    });
  });

  test('takes type, time, data and what is said of the request', () => {
    const head = {
      payload: 'data' as const,
      type: 'a.b',
      time: '2026-11-21T10:00:00+01:00',
      method: 'PUT',
      path: '/orders/7?x=%20',
      headers: { 'X-Account': 9, authorization: 'Bearer x' },
    };
    expect(verdictOf(head, '[1]')).toEqual({
      kind: 'sent',
      type: 'a.b',
      timeMs: Date.parse('2026-11-21T09:00:00Z'),
      data: Buffer.from('[1]'),
      body: null,
      method: 'PUT',
      path: '/orders/7?x=%20',
      headers: { 'x-account': '9', authorization: 'Bearer x' },
    });
  });

  test.each<[Payload, string, string | undefined, string, string]>([
    ['text', '"é\\u0000\\ud800"', undefined, 'é\0�', 'text/plain; charset=utf-8'],
    ['text', '"<a/>"', 'application/xml', '<a/>', 'application/xml'],
    ['json', '{"a":1}', undefined, '{"a":1}', 'application/json'],
    ['none', '', undefined, '', 'application/json'],
  ])('has a body of the kind %s', (payload, text, type, bytes, contentType) => {
    const headers = type === undefined ? undefined : { 'Content-Type': type };
    expect(verdictOf({ payload, headers }, text)).toMatchObject({
      body: { bytes: Buffer.from(bytes), contentType },
      headers: type === undefined ? null : {},
    });
  });

  test.each<[string, object, RegExp]>([
    ['a type', { type: 'no type' }, /no event type/],
    ['a type that is no text', { type: 7 }, /no event type/],
    ['a time', { time: 'yesterday' }, /RFC 3339/],
    ['a method', { method: 'TRACE' }, /none of POST, PUT/],
    ['a path', { path: 'https://example.com/' }, /no path/],
    ['a path with a line end', { path: '/a\r\nHost: b' }, /no path/],
    ['a path with a fragment', { path: '/a#b' }, /no path/],
    ['a long path', { path: `/${'a'.repeat(3000)}` }, /no path/],
    ['headers', { headers: 'a: b' }, /no object/],
    ['a header of Tidings', { headers: { 'Webhook-Id': 'x' } }, /`Webhook-Id`.*set by Tidings/],
    ['a header of the connection', { headers: { Host: 'x' } }, /`Host`.*by the connection/],
    ['a header with a line end', { headers: { a: 'x\r\nb: c' } }, /`a`.*line end/],
    ['a header that is an object', { headers: { a: {} } }, /`a`.*string/],
    [
      'many headers',
      { headers: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`a${i}`, 'x'])) },
      /more than 32/,
    ],
    ['long headers', { headers: { a: 'x'.repeat(9000) } }, /8192 bytes/],
    ['a content type of an event', { headers: { 'content-type': 'text/html' } }, /with a `body` only/],
  ])('refuses %s', (_, head, message) => {
    expect(verdictOf(head)).toMatchObject({
      kind: 'failed',
      reason: 'transform_error',
      error: { message: expect.stringMatching(message) },
    });
  });

  test('bounds what is sent in bytes', () => {
    expect(verdictOf({ payload: 'data' }, JSON.stringify('é'.repeat(600_000)))).toMatchObject({ kind: 'failed' });
  });

  test('of null is filtered, with what was written last as its reason', () => {
    const head: AnswerHead = { kind: 'filtered', console: ['first', 'not ours'] };
    const verdict = toVerdict({ ok: true, head, payload: new Uint8Array(0) }, GIVEN);
    expect(verdict).toEqual({ kind: 'filtered', reason: 'not ours' });
    expect(describeVerdict({ kind: 'filtered', reason: 'not ours' }, 3)).toBe(
      'Version 3 of the transformation returned null. not ours',
    );
    const error = { message: 'TypeError: x', line: 2, column: 5 };
    expect(describeVerdict({ kind: 'failed', reason: 'transform_error', error }, 3)).toBe(
      'Version 3 of the transformation failed: TypeError: x (line 2, column 5)',
    );
  });
});
