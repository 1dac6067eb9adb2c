import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import {
  boolArray,
  dateArray,
  float8Array,
  int2Array,
  int4Array,
  int8Array,
  textArray,
  uuidArray,
} from './binary-array.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

async function roundTrip(type: string, array: Buffer): Promise<unknown[]> {
  const text = `SELECT array_to_json($1::${type}[])::text AS json`;
  const [row] = await database.db.query<{ json: string }>({ name: `round_${type}`, text }, [array]);
  return JSON.parse(row.json);
}

const same = <T>(value: T): T => value;

describe('binary array', () => {
  test.each([
    ['int2', int2Array, [0, 1, -1, 32_767, -32_768]],
    ['int4', int4Array, [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]],
    ['int8', int8Array, [0, 1, -1, 2 ** 32, 2 ** 53 - 1, -(2 ** 40) - 7]],
    ['float8', float8Array, [0, 1.5, -1e300, 1_614_265_330_999, 0.1]],
  ] as const)('%s', async (type, encode, values) => {
    expect(await roundTrip(type, encode(values, same))).toEqual(values);
    expect(await roundTrip(type, encode([null, values[1], null], same))).toEqual([null, values[1], null]);
  });

  test('bool, date, uuid and text', async () => {
    expect(await roundTrip('bool', boolArray([true, false, null], same))).toEqual([true, false, null]);
    const days = ['1999-12-31', '2000-01-01', '2026-11-21', '2026-11-21', null];
    expect(await roundTrip('date', dateArray(days, same))).toEqual(days);
    const uuids = ['00000000-0000-7000-8000-000000000000', '019c8a5e-ffff-7abc-9def-0123456789ab', null];
    expect(await roundTrip('uuid', uuidArray(uuids, same))).toEqual(uuids);
    const texts = ['', 'NULL', 'a"b\\c{},', 'grün 🎉', null];
    expect(await roundTrip('text', textArray(texts, same))).toEqual(texts);
  });

  test('what is empty or NULL throughout is an empty array', async () => {
    expect(await roundTrip('int4', int4Array([], same))).toEqual([]);
    expect(await roundTrip('int4', int4Array([null, null], same))).toEqual([]);
    expect(await roundTrip('text', textArray([null], same))).toEqual([]);
  });
});
