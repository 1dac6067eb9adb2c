import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { rawFormat } from './raw.ts';

describe('raw', () => {
  test('is the data byte for byte, with type and time in headers', () => {
    const json = '{ "b": 1.0,\n"a": "\\u0061" }';
    const { body, contentType, headers } = rawFormat.one(formattedEvent(null, { json }));
    expect(body.toString()).toBe(json);
    expect(contentType).toBe('application/json');
    expect(headers).toEqual({ 'tidings-type': 'invoice.paid', 'tidings-time': '2026-11-21T10:00:00.000Z' });
    expect(rawFormat.many).toBe(null);
  });
});
