import { describe, expect, test } from 'vitest';
import { findStamp, findStamps, readPublishedAtMs, readSequence, stampedData, writeStamp } from './stamped-data.ts';

describe('stamped data', () => {
  test('is JSON of exactly the asked size, before and after stamping', () => {
    const body = Buffer.from(stampedData(1024));
    expect(body.length).toBe(1024);
    writeStamp(body, findStamp(body, 0), { sequence: 1_234_567_890, publishedAtMs: 987_654_321.125 });
    expect(JSON.parse(body.toString())).toMatchObject({ n: '1234567890', atUs: '0000987654321125' });
  });

  test('reads back what was stamped on every event of a batch', () => {
    const body = Buffer.from(JSON.stringify({ events: [1, 2, 3].map(() => ({ data: JSON.parse(stampedData(100)) })) }));
    const places = findStamps(body);
    expect(places).toHaveLength(3);
    for (const [i, place] of places.entries()) {
      writeStamp(body, place, { sequence: 70 + i, publishedAtMs: 5000.5 + i });
    }
    expect(places.map((place) => [readSequence(body, place), readPublishedAtMs(body, place)])).toEqual([
      [70, 5000.5],
      [71, 5001.5],
      [72, 5002.5],
    ]);
    expect(findStamp(body, places[0])).toBe(places[1]);
  });

  test('says when it cannot be that small, and when there is no stamp', () => {
    expect(() => stampedData(20)).toThrow('at least');
    expect(findStamp(Buffer.from('{"data":1}'), 0)).toBe(-1);
  });
});
