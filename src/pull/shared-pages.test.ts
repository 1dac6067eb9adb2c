import { describe, expect, test } from 'vitest';
import { FORMATS } from './log-format.ts';
import type { LogPage, PageRequest } from './read-page.ts';
import { SharedPages } from './shared-pages.ts';

const place = (position: number) => ({ position, day: '2026-11-21' });
const head = (position: number) => ({ ...place(position), configVersion: 1 });

function aRequest(overrides: Partial<PageRequest> = {}): PageRequest {
  const rest = { limit: 100, maxBytes: 1000, filter: null, key: 'json 100', sign: null };
  return { appId: 'app_1', format: FORMATS.json, after: place(4), ...rest, ...overrides };
}

function setup(bytes = 10) {
  let reads = 0;
  let failure: Error | null = null;
  const pages = new SharedPages({
    read: async ({ after }): Promise<LogPage> => {
      reads++;
      if (failure) throw failure;
      return { body: [], bytes, count: 1, start: after, cursor: place(5), done: true };
    },
  });
  return { pages, reads: () => reads, fail: (error: Error | null) => (failure = error) };
}

describe('shared pages', () => {
  test('the same page is read once', async () => {
    const { pages, reads } = setup();
    const all = await Promise.all(Array.from({ length: 100 }, () => pages.read(aRequest(), head(5))));
    expect(new Set(all).size).toBe(1);
    expect(reads()).toBe(1);
  });

  test('another app, place, start, end, filter or format is another page', async () => {
    const { pages, reads } = setup();
    await pages.read(aRequest(), head(5));
    await pages.read(aRequest({ appId: 'app_2' }), head(5));
    await pages.read(aRequest({ after: place(3) }), head(5));
    await pages.read(aRequest({ start: place(3) }), head(5));
    await pages.read(aRequest(), head(6));
    await pages.read(aRequest({ key: 'ndjson 100' }), head(5));
    expect(reads()).toBe(6);
  });

  test('large pages, signed ones, and failures are not kept', async () => {
    const large = setup(1_000_000);
    await large.pages.read(aRequest(), head(5));
    await large.pages.read(aRequest(), head(5));
    expect(large.reads()).toBe(2);
    const { pages, reads, fail } = setup();
    await pages.read(aRequest({ key: null }), head(5));
    await pages.read(aRequest({ key: null }), head(5));
    expect(reads()).toBe(2);
    fail(new Error('gone'));
    await expect(pages.read(aRequest(), head(5))).rejects.toThrow('gone');
    fail(null);
    expect((await pages.read(aRequest(), head(5))).count).toBe(1);
  });
});
