import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_PAYLOAD_BYTES } from '../storage/notifications.ts';
import { decodeHints, emptyBatch, encodeHints, type HintBatch } from './hint-payload.ts';

const head = fc.record({ position: fc.nat(), day: fc.constant('2026-11-21'), configVersion: fc.nat() });
const answer = fc.jsonValue({ maxDepth: 2 });
const batch: fc.Arbitrary<HintBatch> = fc.record({
  heads: fc.array(fc.tuple(fc.string(), head), { maxLength: 400 }),
  changedApps: fc.array(fc.string(), { maxLength: 20 }),
  commandSlots: fc.array(fc.nat(255), { maxLength: 20 }),
  slotsMoved: fc.boolean(),
  catalogueChanged: fc.boolean(),
  questions: fc.array(fc.tuple(fc.string(), answer), { maxLength: 5 }),
  answers: fc.array(fc.tuple(fc.string(), answer), { maxLength: 5 }),
});

function together(batches: HintBatch[]): HintBatch {
  return {
    heads: batches.flatMap(({ heads }) => heads),
    changedApps: batches.flatMap(({ changedApps }) => changedApps),
    commandSlots: batches.flatMap(({ commandSlots }) => commandSlots),
    slotsMoved: batches.some(({ slotsMoved }) => slotsMoved),
    catalogueChanged: batches.some(({ catalogueChanged }) => catalogueChanged),
    questions: batches.flatMap(({ questions }) => questions),
    answers: batches.flatMap(({ answers }) => answers),
  };
}

describe('hint payload', () => {
  test('brings everything across, in payloads that Postgres takes', () => {
    fc.assert(
      fc.property(batch, (hints) => {
        const payloads = encodeHints(hints);
        for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
        expect(together(payloads.map(decodeHints))).toEqual(JSON.parse(JSON.stringify(hints)));
      }),
    );
  });

  test('is nothing for nothing', () => {
    expect(encodeHints(emptyBatch())).toEqual([]);
    expect(encodeHints({ ...emptyBatch(), slotsMoved: true })).toEqual(['{"s":1}']);
  });

  test('takes few payloads for many heads', () => {
    const heads: HintBatch['heads'] = Array.from({ length: 500 }, (_, n) => [
      `app_01k00000000000000000000${n}`,
      { position: n, day: '2026-11-21', configVersion: 1 },
    ]);
    expect(encodeHints({ ...emptyBatch(), heads })).toHaveLength(4);
  });

  test('leaves out what is too long alone', () => {
    const answers: HintBatch['answers'] = [
      ['1', 'x'.repeat(MAX_PAYLOAD_BYTES)],
      ['2', 'short'],
    ];
    expect(encodeHints({ ...emptyBatch(), answers }).map(decodeHints)).toEqual([
      { ...emptyBatch(), answers: [['2', 'short']] },
    ]);
  });

  test('reads nothing out of what is not a payload', () => {
    for (const text of ['', 'x', '1', 'null', '{"h":1}', '[]']) expect(decodeHints(text)).toEqual(emptyBatch());
  });
});
