import { describe, expect, test } from 'vitest';
import { FORMATS } from './log-format.ts';
import { LogReaders } from './log-readers.ts';
import { LongPoll, type LongPollResult } from './long-poll.ts';
import type { LogPage, PageRequest } from './read-page.ts';

const place = (position: number) => ({ position, day: '2026-11-21' });
const head = (position: number) => ({ ...place(position), configVersion: 1 });
const MINUTE_MS = 60_000;

/** Even positions match. */
async function readEven({ after, start }: PageRequest, { position }: { position: number }): Promise<LogPage> {
  const count = Math.floor(position / 2) - Math.floor(after.position / 2);
  return { body: [], bytes: 0, count, start: start ?? after, cursor: place(position), done: true };
}

function setup(readPage: typeof readEven = readEven) {
  const readers = new LogReaders({ onError: () => {} });
  const follow = (appId: string, reader: { moved(): void }): (() => void) => {
    readers.add(appId, reader);
    return () => readers.remove(appId, reader);
  };
  const request: PageRequest = {
    appId: 'app_1',
    format: FORMATS.json,
    after: place(4),
    limit: 10,
    maxBytes: 1000,
    filter: null,
    key: null,
    sign: null,
  };
  const poll = new LongPoll({ follow, readPage }, request);
  const results: LongPollResult[] = [];
  const wait = (timeoutMs = MINUTE_MS): Promise<LongPollResult> =>
    new Promise((resolve) => {
      poll.wait(place(4), timeoutMs, (result) => {
        results.push(result);
        resolve(result);
      });
    });
  return { readers, poll, wait, results, moved: (position: number) => readers.moved('app_1', head(position)) };
}

const turns = async (): Promise<void> => {
  for (let n = 0; n < 10; n++) await new Promise<void>((resolve) => setImmediate(resolve));
};

describe('long poll', () => {
  test('ends with what comes, and follows no more', async () => {
    const { readers, wait, moved, results } = setup();
    const waited = wait();
    moved(6);
    expect(await waited).toMatchObject({ page: { count: 1, start: place(4), cursor: place(6) }, timedOut: false });
    expect(readers.count).toBe(0);
    moved(8);
    await turns();
    expect(results).toHaveLength(1);
  });

  test('misses nothing that came before it waited', async () => {
    const { wait, moved } = setup();
    moved(6);
    await turns();
    expect(await wait()).toMatchObject({ page: { count: 1 } });
  });

  test('is not woken by what it has seen', async () => {
    const { poll, wait, moved, results, readers } = setup();
    void wait();
    moved(3);
    moved(4);
    await turns();
    expect(results).toEqual([]);
    poll.abandon();
    expect(readers.count).toBe(0);
  });

  test('goes on while nothing matches, and tells at the end how far it has come', async () => {
    const { poll, wait, moved, results } = setup();
    void wait();
    moved(5);
    await turns();
    expect(results).toEqual([]);
    poll.release();
    expect(results).toMatchObject([
      { page: { count: 0, start: place(4), cursor: place(5), done: true }, timedOut: true },
    ]);
  });

  test('goes on with what came while it read', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { wait, moved } = setup(async (request, end) => {
      if (request.after.position === 4) await held;
      return await readEven(request, end);
    });
    const waited = wait();
    moved(5);
    await turns();
    moved(6);
    await turns();
    release();
    expect(await waited).toMatchObject({ page: { count: 1, cursor: place(6), start: place(4) } });
  });

  test('ends by itself', async () => {
    const { wait, readers } = setup();
    expect(await wait(5)).toMatchObject({ page: { count: 0, cursor: place(4), done: true }, timedOut: true });
    expect(readers.count).toBe(0);
  });

  test('tells why it could not read', async () => {
    const { wait, moved, readers } = setup(async () => {
      throw new Error('gone');
    });
    const waited = wait();
    moved(6);
    expect(await waited).toMatchObject({ error: { message: 'gone' } });
    expect(readers.count).toBe(0);
  });

  test('abandoned while it reads it answers nothing', async () => {
    const { poll, wait, moved, results, readers } = setup();
    void wait();
    moved(6);
    await new Promise<void>((resolve) => setImmediate(resolve));
    poll.abandon();
    await turns();
    expect(results.length).toBeLessThanOrEqual(1);
    expect(readers.count).toBe(0);
  });
});
