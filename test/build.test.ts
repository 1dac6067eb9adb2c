import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { buildOnce } from './build.ts';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));

describe('build', () => {
  test('is made once for several that ask, and holds the migrations', async () => {
    const [dist, again] = await Promise.all([buildOnce(), buildOnce()]);
    expect(again).toBe(dist);
    const built = await stat(join(dist, '.built'));
    expect(await readdir(join(dist, 'storage/migrations'))).toEqual(await readdir(join(SOURCE, 'storage/migrations')));
    await buildOnce();
    expect((await stat(join(dist, '.built'))).mtimeMs).toBe(built.mtimeMs);
  });
});
