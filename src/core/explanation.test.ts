import { describe, expect, test } from 'vitest';
import { type DeliveryFacts, type DeliveryState, explainDelivery } from './explanation.ts';

const AT = Date.parse('2026-11-21T10:00:00Z');
const MISMATCH = { path: '/type', expected: ['a', 'b.*'], actual: 'c' };

const made = (count: number, deliveredMs: number | null = null): DeliveryFacts['attempts'] => ({
  made: count,
  deliveredMs,
  filteredMs: null,
  last: null,
});

/** Of an event that matched, behind the cursor, with nothing recorded. */
function facts(more: Partial<DeliveryFacts> = {}): DeliveryFacts {
  return {
    position: 50,
    match: { matches: true, why: [], fromPosition: 11 },
    settledThrough: 100,
    skipThrough: 0,
    isPulled: false,
    createdPosition: 11,
    retry: null,
    dead: null,
    isExpired: false,
    attempts: made(0),
    attemptsKept: true,
    standstill: null,
    ...more,
  };
}

describe('explanation', () => {
  const dead = { attempts: 10, reason: 'status_5xx' };
  const retry = { attempts: 1, dueMs: AT, reason: 'timeout_total' };
  const unmatched = { matches: false, why: [MISMATCH], fromPosition: 11 };

  test.each<[DeliveryState, Partial<DeliveryFacts>, string | RegExp]>([
    ['dead', { dead }, /^It was given up after 10 attempts; the last failed with status_5xx\. Resend/],
    ['dead', { dead, attempts: made(10) }, /^It was given up/],
    [
      'dead',
      { dead, attempts: { ...made(10), last: { outcome: 'rejected', error: 'Error: no (line 2)' } } },
      /failed with status_5xx\. Error: no \(line 2\)\. Resend/,
    ],
    [
      'unmatched',
      { match: { matches: false, why: [{ path: '/data/a/b', expected: { $gt: 1 }, actual: 0 }], fromPosition: 11 } },
      /does not take it: its data\.a\.b is 0, asked for is \{"\$gt":1\}\.$/,
    ],
    [
      'unmatched',
      { match: { matches: false, why: [{ path: '/data/a', expected: { $exists: true } }], fromPosition: 11 } },
      /it has no data\.a, asked for is/,
    ],
    [
      'unmatched',
      { match: { matches: false, why: [{ path: '', expected: { $or: [] }, actual: {} }], fromPosition: 11 } },
      /it does not meet \{"\$or":\[\]\}/,
    ],
    [
      'unmatched',
      {
        match: {
          matches: false,
          why: [{ path: '/data/a', expected: { $size: 1 }, actual: `[${'1,'.repeat(140)}…` }],
          fromPosition: 11,
        },
      },
      /its data\.a is \[(1,){39}1…, asked for is \{"\$size":1\}/,
    ],
    [
      'filtered',
      { attempts: { ...made(1), filteredMs: AT, last: { outcome: 'filtered', error: 'Version 3 … returned null.' } } },
      'Nothing was sent at 2026-11-21T10:00:00.000Z. Version 3 … returned null.',
    ],
    [
      'filtered',
      { attempts: { ...made(2), filteredMs: AT, last: { outcome: 'rejected', error: 'of a resend' } } },
      /Its transformation returned null\.$/,
    ],
    ['delivered', { attempts: { ...made(2, AT), filteredMs: AT } }, /^It was delivered/],
    ['dead', { dead: { attempts: 1, reason: 'skipped' } }, /skipped when the endpoint was resumed/],
    ['expired', { dead: { attempts: 1, reason: 'expired' } }, /^Retention/],
    ['expired', { isExpired: true }, /^Retention/],
    ['pulled', { isPulled: true }, /^It was fetched in mode pull.*no attempts were made/],
    ['pulled', { isPulled: true, attempts: made(2) }, /2 attempts were made/],
    ['unknown', { isPulled: true, attemptsKept: false }, /no longer kept/],
    [
      'retrying',
      { retry },
      'It has failed once, last with timeout_total, and is due again at 2026-11-21T10:00:00.000Z.',
    ],
    [
      'retrying',
      { retry: { ...retry, attempts: 2 }, standstill: 'It is paused.' },
      /^It has failed 2 times.* It is paused\.$/,
    ],
    ['retrying', { retry: { ...retry, reason: 'open' } }, 'An attempt of it is under way.'],
    ['delivered', { attempts: made(3, AT) }, 'It was delivered at 2026-11-21T10:00:00.000Z; 3 attempts were made.'],
    ['delivered', { attempts: made(1, AT), position: 200 }, /one attempt was made/],
    ['delivered', { attempts: made(1, AT), isExpired: true }, /^It was delivered/],
    [
      'unmatched',
      { match: unmatched },
      'The filter that the endpoint had at position 50 (valid from position 11 on) does not take it: its type is c, asked for is a or b.*.',
    ],
    ['unmatched', { match: unmatched, position: 200 }, /does not take it/],
    [
      'unmatched',
      { match: { ...unmatched, why: [{ path: '/channels', expected: ['x'], actual: [] }] } },
      /its channels are none, asked for is x\.$/,
    ],
    ['skipped', { skipThrough: 50 }, /resumed from the head at position 50/],
    ['skipped', { skipThrough: 250, position: 200 }, /resumed from the head/],
    ['skipped', { position: 10 }, /created when the log ended at position 10\b/],
    [
      'pending',
      { position: 101 },
      "Its turn has not come: the endpoint's cursor is at position 100, the event at 101.",
    ],
    ['pending', { position: 101, standstill: 'It is paused.' }, / It is paused\.$/],
    ['pending', { position: 5, settledThrough: 4 }, /cursor is at position 4/],
    ['unknown', { position: 10, attemptsKept: false }, /no longer kept/],
    ['unknown', { attemptsKept: false }, /no longer kept/],
    ['unknown', { attempts: made(2) }, /2 attempts were made, and what became of it/],
    ['unknown', {}, /no attempts were made/],
  ])('tells what is %s: %j', (state, more, words) => {
    const told = explainDelivery(facts(more));
    expect(told.state).toBe(state);
    if (typeof words === 'string') expect(told.words).toBe(words);
    else expect(told.words).toMatch(words);
  });
});
