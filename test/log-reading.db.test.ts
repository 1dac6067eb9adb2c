// Every reader sees each position once and in order: whoever publishes where, however late commits become known, in whatever way it reads, and
// however often its connection breaks and another process answers.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTidings, type Tidings } from '../src/app/tidings.ts';
import { uuidFromId } from '../src/core/id.ts';
import { type Running, running, testConfig } from './running.ts';
import { until } from './until.ts';

interface Reader {
  /** 0 = polls. */
  waitSeconds: number;
  limit: number;
  types: 'a.*' | null;
  isNdjson: boolean;
  /** It gives up a request after so many turns; 0 = never. */
  patience: number;
}

const turns = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++) await new Promise<void>((resolve) => setImmediate(resolve));
};

describe('reading a log', () => {
  let first: Running;
  let second: Tidings;
  beforeAll(async () => {
    first = await running();
    second = await startTidings(testConfig(first.database.url), { migrate: false, graceMs: 20 });
  });
  afterAll(async () => {
    await second.stop();
    await first.close();
  });

  const origin = (n: number): string => (n % 2 === 0 ? first.url : second.url);
  const headers = (): Record<string, string> => ({ authorization: `Bearer ${first.key}` });

  async function publish(n: number, appId: string, types: string[]): Promise<void> {
    const response = await fetch(`${origin(n)}/v1/apps/${appId}/events/batch`, {
      method: 'POST',
      headers: { ...headers(), 'content-type': 'application/json' },
      body: JSON.stringify({ events: types.map((type) => ({ type, data: { type } })) }),
    });
    expect(response.status).toBe(202);
    await response.arrayBuffer();
  }

  /** Commits wait while the head is held. */
  async function holdHead(appId: string, times: number): Promise<void> {
    for (let n = 0; n < times; n++) {
      await first.database.db.transaction(async (tx) => {
        const text = 'SELECT 1 FROM heads WHERE app_id = $1 FOR UPDATE';
        await tx.query({ name: 'test_hold_head', text }, [uuidFromId('app', appId)]);
        await turns(20);
      });
      await turns(10);
    }
  }

  /** Reads until it has seen so many events, and returns their positions in the order in which they came. */
  async function readAll(reader: Reader, appId: string, wanted: number, isOver: () => boolean): Promise<number[]> {
    const seen: number[] = [];
    let cursor: string | null = null;
    for (let n = 0; seen.length < wanted && !isOver(); n++) {
      const query = new URLSearchParams({ limit: String(reader.limit) });
      if (cursor !== null) query.set('after', cursor);
      if (reader.types !== null) query.set('types', reader.types);
      if (reader.waitSeconds > 0) query.set('wait', String(reader.waitSeconds));
      const abort = new AbortController();
      if (reader.patience > 0 && n % 2 === 0) void turns(reader.patience).then(() => abort.abort());
      try {
        const response = await fetch(`${origin(n)}/v1/apps/${appId}/events?${query}`, {
          headers: { ...headers(), ...(reader.isNdjson && { accept: 'application/x-ndjson' }) },
          signal: abort.signal,
        });
        const text = await response.text();
        expect(response.status, text).toBe(200);
        const lines = reader.isNdjson ? text.split('\n').slice(0, -1) : null;
        const events: { position: number }[] = lines?.map((line) => JSON.parse(line)) ?? JSON.parse(text).events;
        cursor = response.headers.get('tidings-cursor');
        seen.push(...events.map(({ position }) => position));
      } catch (error) {
        if (!abort.signal.aborted) throw error;
      }
    }
    return seen;
  }

  test('gives each position once and in order to every reader', async () => {
    const readers = fc.record<Reader>({
      waitSeconds: fc.constantFrom(0, 1, 5, 20),
      limit: fc.integer({ min: 1, max: 20 }),
      types: fc.constantFrom(null, 'a.*' as const),
      isNdjson: fc.boolean(),
      patience: fc.constantFrom(0, 1, 5, 30),
    });
    const batches = fc.array(fc.array(fc.constantFrom('a.x', 'a.y', 'b.x'), { minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(readers, { minLength: 1, maxLength: 6 }),
        fc.array(batches, { minLength: 1, maxLength: 3 }),
        fc.nat(5),
        async (kinds, publishers, holds) => {
          const appId = await first.anApp();
          const types = publishers.flat(2);
          const wantedOf = ({ types: wanted }: Reader): number =>
            wanted === null ? types.length : types.filter((type) => type.startsWith('a.')).length;
          let failed = false;
          const reading = kinds.map((kind) => readAll(kind, appId, wantedOf(kind), () => failed));
          await Promise.all([
            holdHead(appId, holds),
            ...publishers.map(async (own, n) => {
              for (const [i, batch] of own.entries()) await publish(n + i, appId, batch);
            }),
          ]).catch((error) => {
            failed = true;
            throw error;
          });
          const all = await first.ask(`GET /v1/apps/${appId}/events?limit=1000`);
          for (const [i, seen] of (await Promise.all(reading)).entries()) {
            const expected = all.events
              .filter(({ type }: { type: string }) => kinds[i].types === null || type.startsWith('a.'))
              .map(({ position }: { position: number }) => position);
            expect(seen).toEqual(expected);
          }
          expect(all.events).toHaveLength(types.length);
        },
      ),
      { numRuns: 15 },
    );
    // Nobody waits any more, whoever gave up.
    for (const url of [first.url, second.url]) {
      await until(async () => /^tidings_log_readers 0$/m.test(await (await fetch(`${url}/metrics`)).text()));
    }
  }, 120_000);
});
