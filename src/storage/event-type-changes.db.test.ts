import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import type { EventTypeDefinition } from '../core/catalogue/event-type-definition.ts';
import { deleteEventType, putEventTypes } from './event-type-changes.ts';
import { findEventTypeVersion, listEventTypeVersions } from './event-type-versions.ts';
import { allEventTypes, findEventType } from './event-types.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

function aDefinition(type: string, change: Partial<EventTypeDefinition> = {}): EventTypeDefinition {
  const rest = {
    description: '',
    schema: null,
    examples: [],
    validation: 'off',
    deprecated: false,
    archived: false,
  } as const;
  return { type, ...rest, ...change };
}

async function put(...definitions: EventTypeDefinition[]) {
  const changes = [];
  for (const definition of definitions) {
    changes.push({ definition, before: await findEventType(database.db, definition.type) });
  }
  return putEventTypes(database.db, changes);
}

describe('event type changes', () => {
  test('count versions of the schema, and keep the last 100', async () => {
    const versions: (number | null)[] = [];
    for (const schema of [null, true, true, null, true, { type: 'string' }, true]) {
      versions.push((await put(aDefinition('counted', { schema })))[0].version);
    }
    expect(versions).toEqual([null, 1, 1, null, 2, 3, 4]);
    for (let i = 0; i < 100; i++) await put(aDefinition('counted', { schema: { const: i } }));
    const kept = await listEventTypeVersions(database.db, 'counted', { limit: 250, before: null });
    expect([kept.length, kept[0].version, kept.at(-1)?.version]).toEqual([100, 104, 5]);
    expect(await findEventTypeVersion(database.db, 'counted', 4)).toBeNull();
    expect(await findEventTypeVersion(database.db, 'counted', 104)).toMatchObject({ schema: { const: 99 } });
    expect(await deleteEventType(database.db, 'counted')).toBe(true);
    expect(await listEventTypeVersions(database.db, 'counted', { limit: 250, before: null })).toEqual([]);
    expect(await deleteEventType(database.db, 'counted')).toBe(false);
  });

  test('are refused where another was first, all of them', async () => {
    const { db } = database;
    await put(aDefinition('contended'));
    const before = await findEventType(db, 'contended');
    const mine = { definition: aDefinition('contended', { description: 'mine' }), before };
    await put(aDefinition('contended', { description: 'theirs' }));
    const other = { definition: aDefinition('beside'), before: null };
    await expect(putEventTypes(db, [other, mine])).rejects.toMatchObject({ code: 'conflict' });
    await expect(putEventTypes(db, [{ ...mine, before: null }])).rejects.toMatchObject({ code: 'conflict' });
    const gone = { definition: aDefinition('gone'), before };
    await expect(putEventTypes(db, [gone])).rejects.toMatchObject({ code: 'conflict' });
    expect(await findEventType(db, 'contended')).toMatchObject({ description: 'theirs' });
    expect(await findEventType(db, 'beside')).toBeNull();
  });

  test('keep the catalogue within its bounds', async () => {
    const large = { description: 'x'.repeat(100_000) };
    const many = Array.from({ length: 90 }, (_, i) => aDefinition(`large.${i}`, { schema: large }));
    await expect(put(...many)).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('8 MiB') });
    expect((await allEventTypes(database.db)).some(({ type }) => type.startsWith('large.'))).toBe(false);
  });
});
