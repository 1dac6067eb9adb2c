import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { changesOf, checkFetchConfig, FETCH_MEMBERS, type FetchConfig } from './fetch-config.ts';

const url = 'https://api.example.com/orders';
const faults = (config: Partial<FetchConfig>): string[] => checkFetchConfig({ url, ...config }).map(({ path }) => path);

describe('fetch configuration', () => {
  test('needs no more than a URL', () => {
    expect(checkFetchConfig({ url })).toEqual([]);
    expect(changesOf({ url })).toEqual({ by: 'document' });
    expect(changesOf({ url, key: 'id' })).toEqual({ by: 'id' });
    expect(changesOf({ url, format: 'feed' })).toEqual({ by: 'id' });
  });

  test.each<[string, Partial<FetchConfig>, string]>([
    ['an unknown place', { url: `${url}?a={sinse}` }, '/url'],
    ['a place in the host', { url: 'https://{cursor}.example.com/' }, '/url'],
    ['a body without POST', { body: '{}' }, '/body'],
    ['a header of ours', { headers: { 'If-None-Match': 'x' } }, '/headers/If-None-Match'],
    ['a header with a line break', { headers: { 'x-a': 'a\r\nb: c' } }, '/headers/x-a'],
    ['a token with a line break', { auth: { type: 'bearer', token: 'a\nb' } }, '/auth/token'],
    ['a path that cannot be read', { items: 'data[' }, '/items'],
    ['no key to find changes by', { changes: { by: 'snapshot' } }, '/key'],
    ['no time to find changes by', { key: 'id', changes: { by: 'time' } }, '/time'],
    ['a cursor from nowhere', { changes: { by: 'cursor' } }, '/changes'],
    ['a start by time without one', { key: 'id', start: { since: '2026-01-01T00:00:00Z' } }, '/start'],
    ['a start at no time', { key: 'id', time: 't', start: { since: 'monday' } }, '/start/since'],
    ['pages by cursor without a path', { pages: { by: 'cursor', param: 'after' } }, '/pages/path'],
    ['pages by number that are asked for nowhere', { pages: { by: 'page' } }, '/pages/param'],
    ['both an interval and cron', { every: '1h', cron: '0 * * * *' }, '/cron'],
    ['an interval that is too short', { every: '5s' }, '/every'],
    ['slower that is quicker', { every: '1h', slowest: '5m' }, '/slowest'],
    ['a cron that cannot be read', { cron: 'every monday' }, '/cron'],
    ['a time zone that does not exist', { cron: '0 9 * * *', timeZone: 'Europe/Atlantis' }, '/cron'],
  ])('refuses %s', (_, config, path) => {
    expect(faults(config)).toContain(path);
  });

  test('takes what belongs together', () => {
    expect(faults({ url: `${url}?page={page}`, pages: { by: 'page' } })).toEqual([]);
    expect(faults({ method: 'POST', body: '{"after":"{page}"}', pages: { by: 'cursor', path: 'next' } })).toEqual([]);
    expect(faults({ cron: '0 9 * * 1-5', timeZone: 'Europe/Berlin' })).toEqual([]);
    expect(faults({ key: ['account', 'id'], time: 'updated_at', changes: { by: 'time', overlap: '1h' } })).toEqual([]);
    expect(faults({ headers: { 'user-agent': 'mine', 'x-api': '1' } })).toEqual([]);
  });

  test('has a shape that refuses unknown members', () => {
    const shape = z.strictObject(FETCH_MEMBERS);
    expect(shape.safeParse({ url, every: '90x' }).success).toBe(false);
    expect(shape.safeParse({ url, evry: '5m' }).success).toBe(false);
    expect(shape.safeParse({ url, every: '5m', start: { last: 10 } }).success).toBe(true);
  });
});
