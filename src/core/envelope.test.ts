import { describe, expect, test } from 'vitest';
import { DATA_VALUES } from '../../test/byte-corpus.ts';
import { standardBody } from './envelope.ts';

describe('standard envelope', () => {
  test('is type, timestamp and data, and nothing else', () => {
    const timeMs = Date.UTC(2026, 10, 21, 10);
    const body = standardBody({ type: 'invoice.paid', timeMs, data: Buffer.from('{"amount":1.0}') });
    expect(body.toString()).toBe(
      '{"type":"invoice.paid","timestamp":"2026-11-21T10:00:00.000Z","data":{"amount":1.0}}',
    );
  });

  test.each(DATA_VALUES)('keeps $name byte for byte', ({ bytes }) => {
    const body = standardBody({ type: 'a', timeMs: 0, data: bytes });
    const head = '{"type":"a","timestamp":"1970-01-01T00:00:00.000Z","data":';
    expect(body.equals(Buffer.concat([Buffer.from(head), bytes, Buffer.from('}')]))).toBe(true);
  });
});
