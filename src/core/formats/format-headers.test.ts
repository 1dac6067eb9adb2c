import { describe, expect, test } from 'vitest';
import { anEvent } from '../../../test/lane-alone.ts';
import { compileFormat } from './compile-format.ts';
import { FORMAT_NAMES, type FormatInput, normaliseFormat } from './endpoint-format.ts';
import { formatHeaders } from './format-headers.ts';

const handshake = { origin: 'events.example.com' };
const attributes = { subject: 'a b', partitionkey: 'é' };
const OPTIONS: Record<string, object> = {
  telegram: { chatId: '1' },
  template: { body: 'x', contentType: 'text/plain' },
  thin: {},
};
const FORMATS: FormatInput[] = [
  ...FORMAT_NAMES.map((name) => ({ name, ...OPTIONS[name] })),
  ...['structured', 'binary', 'batch'].map((mode) => ({ name: 'cloudevents', mode, handshake, attributes })),
];

describe('format headers', () => {
  test.each(FORMATS)('of %j are those that its requests have', (input) => {
    const format = normaliseFormat(input);
    const compiled = compileFormat(format, 'https://example.com');
    const headers = compiled?.one(anEvent(1)).headers ?? {};
    expect(Object.keys(headers).sort()).toEqual(formatHeaders(format).sort());
    for (const value of Object.values(headers)) expect(value).toMatch(/^[\x20-\x7e]+$/);
  });
});
