import { beforeAll, describe, expect, test } from 'vitest';
import { TransformPool } from '../src/transform/transform-pool.ts';
import { buildOnce } from '../test/build.ts';
import { anOrder } from './filter-evaluation.ts';
import { runTransforms } from './transform-runs.ts';

beforeAll(() => buildOnce(), 120_000);

describe('transform runs', () => {
  test('are counted with what they take', async () => {
    const plan = { Pool: TransformPool, apps: 2, data: JSON.stringify(anOrder()), seconds: 0.1 };
    const { runs, perSecond, microsEach } = await runTransforms(plan);
    expect(runs).toBeGreaterThan(0);
    expect(perSecond).toBeGreaterThan(0);
    expect(microsEach).toBeGreaterThan(0);
  });

  test('tell of a mapping that fails', async () => {
    const plan = { Pool: TransformPool, apps: 1, data: '{}', seconds: 0.1 };
    await expect(runTransforms(plan)).rejects.toThrow(/"failed"/);
  });
});
