import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { encodeOrigin, type Origin } from '../origin.ts';
import { checkFormat } from './endpoint-format.ts';
import { originalFormat } from './original.ts';

const origin = (members: Partial<Origin> = {}): Buffer =>
  encodeOrigin({ contentType: 'text/x; a=1', headers: { 'x-sig': 's', 'x-id': '1' }, body: 'data', ...members });

describe('format original', () => {
  test('gives body, content type and headers as they were received', () => {
    const event = formattedEvent(null, { json: '{ "a": 1.0 }', origin: origin() });
    expect(originalFormat({}).one(event)).toEqual({
      body: event.data,
      contentType: 'text/x; a=1',
      received: { 'x-sig': 's', 'x-id': '1' },
    });
    const text = formattedEvent(
      { contentType: '', text: 'a=1' },
      { origin: origin({ contentType: '', body: 'text' }) },
    );
    expect(originalFormat({ headers: ['X-Sig', 'x-none'] }).one(text)).toEqual({
      body: Buffer.from('a=1'),
      contentType: 'application/octet-stream',
      received: { 'x-sig': 's' },
    });
  });

  test('gives the data of what was published', () => {
    const event = formattedEvent({ a: 1 });
    expect(originalFormat({}).one(event)).toMatchObject({ body: event.data, contentType: 'application/json' });
  });

  test('fails where the body is no longer in the data', () => {
    const event = formattedEvent({ changed: true }, { origin: origin({ body: 'base64' }) });
    expect(() => originalFormat({}).one(event)).toThrow('transformed');
  });

  test('takes names of headers', () => {
    expect(checkFormat('original')).toEqual([]);
    expect(checkFormat({ name: 'original', headers: ['X-Sig'] } as never)).toEqual([]);
    for (const headers of ['x', [1], ['a b'], ['']]) {
      expect(checkFormat({ name: 'original', headers } as never)[0].path).toBe('/format/headers');
    }
  });
});
