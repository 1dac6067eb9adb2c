import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { until } from '../../test/until.ts';
import type { EventTypeDefinition } from '../core/catalogue/event-type-definition.ts';
import type { FieldError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import { updateApp } from '../storage/apps.ts';
import type { Query, Queryable } from '../storage/database.ts';
import { deleteEventType, putEventTypes } from '../storage/event-type-changes.ts';
import { findEventType } from '../storage/event-types.ts';
import { Catalogue } from './catalogue.ts';

let app: StoredApp;
const started: Catalogue[] = [];
beforeEach(async () => {
  app = await storedApp();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((catalogue) => catalogue.stop()));
  await app.close();
});

const TEXT = { type: 'string' };

async function put(type: string, change: Partial<EventTypeDefinition>): Promise<void> {
  const rest = {
    description: '',
    schema: TEXT,
    examples: [],
    validation: 'reject',
    deprecated: false,
    archived: false,
  } as const;
  await putEventTypes(app.db, [
    { definition: { type, ...rest, ...change }, before: await findEventType(app.db, type) },
  ]);
}

async function aCatalogue(parts: { db?: Queryable; pollEveryMs?: number } = {}) {
  const errors: unknown[] = [];
  const catalogue = new Catalogue({
    db: app.db,
    onError: (error) => errors.push(error),
    pollEveryMs: 3_600_000,
    ...parts,
  });
  started.push(catalogue);
  await catalogue.start();
  return { catalogue, errors };
}

function anEvent(type: string, data: unknown): NewEvent {
  const json = Buffer.from(JSON.stringify(data));
  return { id: 'e', ownId: true, type, timeMs: 0, timeGiven: true, channels: [], data: json };
}

/** What becomes of an event: `warned`, `refused`, or neither. */
function outcome(catalogue: Catalogue, type: string, data: unknown, appId = 'app_other'): string {
  try {
    return catalogue.check(appId, [anEvent(type, data)], false) === null ? 'taken' : 'warned';
  } catch (error) {
    expect(error).toMatchObject({ code: 'schema_violation' });
    return 'refused';
  }
}

describe('catalogue', () => {
  test('knows at its start what is validated, and no other type', async () => {
    await put('a', {});
    await put('b', { validation: 'warn' });
    await put('c', { validation: 'off' });
    const { catalogue } = await aCatalogue();
    expect(['a', 'b', 'c', 'd'].map((type) => outcome(catalogue, type, 1))).toEqual([
      'refused',
      'warned',
      'taken',
      'taken',
    ]);
    expect(['a', 'b', 'c', 'd'].map((type) => outcome(catalogue, type, 'x'))).toEqual(Array(4).fill('taken'));
    expect(catalogue.counts).toEqual({ warn: 1, reject: 1 });
  });

  test('finds what another process has changed, by a hint or by itself', async () => {
    const { catalogue: told } = await aCatalogue();
    const { catalogue: looking } = await aCatalogue({ pollEveryMs: 5 });
    await put('a', {});
    await until(() => outcome(looking, 'a', 1) === 'refused');
    expect(outcome(told, 'a', 1)).toBe('taken');
    told.changedElsewhere();
    await until(() => outcome(told, 'a', 1) === 'refused');
    await put('a', { schema: { type: 'integer' } });
    await until(() => outcome(looking, 'a', 1) === 'taken');
    await deleteEventType(app.db, 'a');
    await until(() => outcome(looking, 'a', 'x') === 'taken');
  });

  test('goes by what the app says in place of its types', async () => {
    await put('a', { validation: 'off' });
    await put('b', {});
    const { catalogue } = await aCatalogue();
    const outcomes = () => ['a', 'b'].map((type) => outcome(catalogue, type, 1, app.appId));
    for (const [validation, expected] of [
      ['warn', ['warned', 'warned']],
      ['reject', ['refused', 'refused']],
      ['off', ['taken', 'taken']],
      [null, ['taken', 'refused']],
    ] as const) {
      await updateApp(app.db, app.appId, { validation });
      await catalogue.changedHere();
      expect(outcomes()).toEqual(expected);
      expect(outcome(catalogue, 'b', 1)).toBe('refused');
    }
    await updateApp(app.db, app.appId, { validation: 'reject' });
    expect(outcome((await aCatalogue()).catalogue, 'a', 1, app.appId)).toBe('refused');
  });

  test('reads only what has changed', async () => {
    for (const type of ['a', 'b']) await put(type, {});
    const asked: string[] = [];
    const read: unknown[] = [];
    const db: Queryable = {
      query: (query: Query, values) => {
        asked.push(query.name);
        if (query.name === 'find_event_types') read.push(values?.[0]);
        return app.db.query(query, values);
      },
    };
    const { catalogue } = await aCatalogue({ db });
    expect(read).toEqual([['a', 'b']]);
    asked.length = 0;
    await catalogue.refresh();
    expect(asked).toEqual(['read_catalogue_version']);
    await put('b', { schema: true });
    await catalogue.refresh();
    expect(read).toEqual([['a', 'b'], ['b']]);
  });

  test('keeps what it knows while the database does not answer', async () => {
    await put('a', {});
    let isDown = false;
    const db: Queryable = {
      query: (query, values) => (isDown ? Promise.reject(new Error('down')) : app.db.query(query, values)),
    };
    const { catalogue, errors } = await aCatalogue({ db });
    isDown = true;
    await catalogue.changedHere();
    expect(errors).toHaveLength(1);
    expect(outcome(catalogue, 'a', 1)).toBe('refused');
    isDown = false;
    await put('a', { schema: { type: 'integer' } });
    await catalogue.changedHere();
    expect(outcome(catalogue, 'a', 1)).toBe('taken');
  });

  test('tells of each event of a batch at its place, and of no more than is of use', async () => {
    const schema = {
      type: 'object',
      properties: Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, TEXT])),
    };
    await put('warned', { schema, validation: 'warn' });
    await put('refused', { schema });
    const { catalogue } = await aCatalogue();
    const bad = { a: 1, b: 1, c: 1, d: 1, e: 1 };
    const batch = [anEvent('warned', {}), anEvent('warned', bad)];
    const warnings = catalogue.check('app_a', batch, true) as (FieldError[] | null)[];
    expect(warnings[0]).toBeNull();
    expect(warnings[1]?.map(({ path }) => path)).toEqual(['/events/1/data/a', '/events/1/data/b', '/events/1/data/c']);
    const refused = Array.from({ length: 10 }, () => anEvent('refused', bad));
    expect(() => catalogue.check('app_a', refused, true)).toThrow(
      expect.objectContaining({
        status: 422,
        errors: expect.toSatisfy((errors: FieldError[]) => errors.length === 20),
      }),
    );
  });
});
