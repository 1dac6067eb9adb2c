import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseExact } from '../../core/formats/exact-json.ts';
import { changeEvent } from './change-event.ts';
import { changesOf, type FetchConfig } from './fetch-config.ts';
import { type FetchState, newState } from './fetch-state.ts';
import { fetchedItem } from './fetched-item.ts';
import { type AnswerRead, type Change, findChanges, type KnownItem } from './find-changes.ts';

type Item = Record<string, unknown>;

/** A source without network or database: what is told of one answer after the other, and what is remembered. */
interface SourceModel {
  readonly state: FetchState;
  answer(items: Item[], more?: Partial<AnswerRead>): { id: string; type: string; data: Item & { key?: unknown } }[];
  /** As `created 1`, with the item's id. */
  tell(items: Item[], more?: Partial<AnswerRead>): string[];
}

function aSource(members: Partial<FetchConfig>): SourceModel {
  const config: FetchConfig = { url: 'https://a.example', start: 'all', ...members };
  let state: FetchState = newState(changesOf(config).by);
  const known = new Map<string, KnownItem>();
  return {
    get state() {
      return state;
    },
    answer(items, more = {}) {
      const read = items.map((item, i) => fetchedItem(parseExact(Buffer.from(JSON.stringify(item))), i, config, false));
      const found = findChanges({
        config,
        state,
        items: read,
        known,
        pages: 1,
        isCapped: false,
        isFeed: false,
        cursor: null,
        nowMs: 10_000_000,
        allowDeletions: false,
        ...more,
      });
      const told = found.changes.filter(({ isTold }) => isTold);
      const events = told.map((change, place) => {
        const event = changeEvent(change, { sourceId: 'src_1', config, state, place, nowMs: 5 });
        return { id: event.id, type: event.type, data: JSON.parse(event.data.toString()) };
      });
      state = found.state;
      for (const change of found.changes) remember(known, change);
      return events;
    },
    tell(items, more) {
      return this.answer(items, more).map(({ type, data }) => `${type.slice(5)} ${data.id ?? data.key}`);
    },
  };
}

function remember(known: Map<string, KnownItem>, { kind, key, version }: Change): void {
  if (key === null) return;
  if (kind === 'deleted') known.delete(key);
  else known.set(key, { version, missed: kind === 'missed' ? (known.get(key)?.missed ?? 0) + 1 : 0 });
}

const item = (id: number, v = 0): Item => ({ id, v });

describe('changes', () => {
  test('by id are told once', () => {
    const source = aSource({ key: 'id' });
    expect(source.tell([item(1), item(2)])).toEqual(['created 1', 'created 2']);
    expect(source.tell([item(2, 9), item(3)])).toEqual(['created 3']);
    expect(source.tell([])).toEqual([]);
  });

  test('by version are told again when the item differs, whatever the order of its members', () => {
    const source = aSource({ key: 'id', changes: { by: 'version' } });
    source.tell([{ id: 1, a: 1, b: 2 }]);
    expect(source.tell([{ b: 2, a: 1, id: 1 }])).toEqual([]);
    expect(source.tell([{ id: 1, a: 1, b: 3 }])).toEqual(['updated 1']);
    const byPath = aSource({ key: 'id', changes: { by: 'version', path: 'v' } });
    byPath.tell([{ id: 1, v: 1, seen: 1 }]);
    expect(byPath.tell([{ id: 1, v: 1, seen: 2 }])).toEqual([]);
    expect(byPath.tell([{ id: 1, v: 2, seen: 2 }])).toEqual(['updated 1']);
  });

  test('of the first run are told as the source says', () => {
    const items = [item(1), item(2), item(3)];
    const first = (start: FetchConfig['start']) => aSource({ key: 'id', time: 'id', start }).tell(items);
    expect(first('skip')).toEqual([]);
    expect(first({ last: 2 })).toEqual(['created 2', 'created 3']);
    expect(first({ since: '1970-01-01T00:00:02Z' })).toEqual(['created 2', 'created 3']);
    const source = aSource({ key: 'id', start: 'skip' });
    source.tell(items);
    expect(source.tell([...items, item(4)])).toEqual(['created 4']);
  });

  test('are told oldest first', () => {
    const times = aSource({ key: 'id', time: 't' });
    expect(
      times.tell([
        { id: 1, t: 30 },
        { id: 2, t: 10 },
        { id: 3, t: 20 },
      ]),
    ).toEqual(['created 2', 'created 3', 'created 1']);
    expect(aSource({ key: 'id', order: 'newest' }).tell([item(3), item(2)])).toEqual(['created 2', 'created 3']);
  });

  test('by time look back over the overlap, and tell what lies in it once', () => {
    const source = aSource({ key: 'id', time: 't', changes: { by: 'time', overlap: '10s' } });
    expect(source.tell([{ id: 1, t: 1000 }])).toEqual(['created 1']);
    expect(source.state.highestMs).toBe(1_000_000);
    const late = { id: 2, t: 995 };
    expect(source.tell([late, { id: 1, t: 1000 }])).toEqual(['created 2']);
    expect(source.tell([{ id: 3, t: 980 }])).toEqual([]);
    expect(source.tell([late, { id: 1, t: 1001 }])).toEqual(['updated 1']);
  });

  test('by time are not hidden by an item from the future', () => {
    const source = aSource({ key: 'id', time: 't', changes: { by: 'time' } });
    source.tell([{ id: 1, t: 20_000 }], { nowMs: 10_000_000 });
    expect(source.tell([{ id: 2, t: 10_001 }], { nowMs: 10_001_000 })).toEqual(['created 2']);
  });

  test('by time after an empty first run are new', () => {
    const source = aSource({ key: 'id', time: 't', changes: { by: 'time' }, start: 'skip' });
    source.tell([], { nowMs: 10_000_000 });
    expect(source.state.highestMs).toBe(10_000_000);
    expect(source.tell([{ id: 1, t: 10_001 }])).toEqual(['created 1']);
  });

  test('by cursor are all told, with a key only what differs', () => {
    const plain = aSource({ changes: { by: 'cursor', path: 'next' } });
    expect(plain.tell([item(1)], { cursor: 'a' })).toEqual(['created 1']);
    expect(plain.tell([item(1)], { cursor: 'b' })).toEqual(['created 1']);
    expect(plain.state.cursor).toBe('b');
    expect(() => plain.tell([item(2)])).toThrow(/no cursor at next/);
    expect(plain.tell([])).toEqual([]);
    const keyed = aSource({ key: 'id', changes: { by: 'cursor', path: 'next' } });
    keyed.tell([item(1)], { cursor: 'a' });
    expect(keyed.tell([item(1), item(2)])).toEqual(['created 2']);
    expect(keyed.tell([item(1, 5)])).toEqual(['updated 1']);
  });

  test('of a snapshot are also what is gone', () => {
    const source = aSource({ key: 'id', changes: { by: 'snapshot' } });
    source.tell([item(1), item(2)]);
    expect(source.tell([item(2, 1), item(3)])).toEqual(['updated 2', 'created 3', 'deleted 1']);
    expect(source.tell([item(2, 1), item(3), item(1)])).toEqual(['created 1']);
  });

  test('of a snapshot on several pages are gone when missing twice', () => {
    const source = aSource({ key: 'id', changes: { by: 'snapshot' } });
    source.tell([item(1), item(2)]);
    expect(source.tell([item(1)], { pages: 2 })).toEqual([]);
    expect(source.tell([item(1), item(2)], { pages: 2 })).toEqual([]);
    expect(source.tell([item(1)], { pages: 2 })).toEqual([]);
    expect(source.tell([item(1)], { pages: 2 })).toEqual(['deleted 2']);
  });

  test('of a snapshot that lost most of its items are not told, unless someone has looked', () => {
    const source = aSource({ key: 'id', changes: { by: 'snapshot' } });
    const items = Array.from({ length: 20 }, (_, id) => item(id));
    source.tell(items);
    expect(() => source.tell(items.slice(0, 9))).toThrow(expect.objectContaining({ reason: 'too_few_items' }));
    expect(() => source.tell([])).toThrow(/allowDeletions/);
    expect(source.tell(items.slice(0, 10))).toHaveLength(10);
    expect(source.tell([], { allowDeletions: true })).toHaveLength(10);
  });

  test('are not told of half an answer', () => {
    const capped = { isCapped: true, pages: 20, cursor: 'x' };
    expect(() => aSource({ key: 'id', changes: { by: 'snapshot' } }).tell([item(1)], capped)).toThrow(/pages.max/);
    const newestFirst = [
      { id: 2, t: 2 },
      { id: 1, t: 1 },
    ];
    const byTime: Partial<FetchConfig> = { key: 'id', time: 't', changes: { by: 'time' } };
    expect(() => aSource(byTime).tell(newestFirst, capped)).toThrow(/pages.max/);
    const source = aSource({ ...byTime, start: 'skip' });
    expect(source.tell([...newestFirst].reverse(), capped)).toEqual([]);
    expect(source.state.isStarted).toBe(false);
    expect(() => source.tell([{ id: 2, t: 2 }], capped)).toThrow(/pages.max/);
    expect(aSource({ key: 'id' }).tell([item(1)], capped)).toEqual(['created 1']);
  });

  test('of a document are told when it differs', () => {
    const source = aSource({});
    expect(source.tell([{ a: 1 }])).toHaveLength(1);
    expect(source.tell([{ a: 1 }])).toHaveLength(0);
    expect(source.answer([{ a: 2 }])).toMatchObject([{ type: 'item.updated', data: { a: 2 } }]);
  });

  test('have ids that the same run gives again and another does not', () => {
    const config: Partial<FetchConfig> = { key: 'id', changes: { by: 'snapshot' } };
    const run = () => {
      const source = aSource(config);
      return [[item(1)], [item(1, 1)], [item(1)], [], [item(1)]].flatMap((items) =>
        source.answer(items).map(({ id }) => id),
      );
    };
    const ids = run();
    expect(run()).toEqual(ids);
    expect(new Set(ids).size).toBe(5);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  test('name their events after members of the item', () => {
    const typed = (type: string, value: Item) => aSource({ key: 'id', type }).answer([value])[0].type;
    expect(typed('order.{status}', { id: 1, status: 'paid up' })).toBe('order.paid_up');
    expect(typed('{a.b}.{change}', { id: 1, a: { b: 'x' } })).toBe('x.created');
    expect(typed('{missing}', { id: 1 })).toBe('item');
  });

  test('know items by several members, and by long ones', () => {
    const source = aSource({ key: ['a', 'b'], changes: { by: 'snapshot' } });
    source.answer([{ a: 'x', b: 1 }]);
    expect(source.answer([])).toMatchObject([{ data: { key: ['x', '1'] } }]);
    const long = 'x'.repeat(5000);
    const other = aSource({ key: 'id' });
    expect(other.answer([{ id: long }])).toHaveLength(1);
    expect(other.answer([{ id: long }, { id: `${long}y` }])).toHaveLength(1);
    expect(() => other.answer([{ name: 'without' }])).toThrow(/no key at id/);
  });

  test('of a snapshot, replayed, give the collection for any history of it', () => {
    const collection = fc.uniqueArray(fc.record({ id: fc.nat(7), v: fc.nat(2) }), { selector: ({ id }) => id });
    const histories = fc.array(fc.record({ items: collection, pages: fc.constantFrom(1, 3) }), { maxLength: 12 });
    fc.assert(
      fc.property(histories, (history) => {
        const source = aSource({ key: 'id', changes: { by: 'snapshot' } });
        const replayed = new Map<string, Item>();
        const seen = new Set<string>();
        const last = history[history.length - 1]?.items ?? [];
        // Of several pages what is missing is gone the second time.
        for (const { items, pages } of [...history, ...[1, 2].map(() => ({ items: last, pages: 3 }))]) {
          for (const { id, type, data } of source.answer(items, { pages })) {
            expect(seen.has(id)).toBe(false);
            seen.add(id);
            if (type === 'item.deleted') replayed.delete(String(data.key));
            else replayed.set(String(data.id), data);
          }
        }
        expect(replayed).toEqual(new Map(last.map((one) => [String(one.id), one])));
      }),
    );
  });
});
