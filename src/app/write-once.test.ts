import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeOnce } from './write-once.ts';

test('a file that several write at once is one of theirs, whole and private', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-test-'));
  const path = join(folder, 'key');
  const texts = Array.from({ length: 10 }, (_, n) => String(n).repeat(1000));
  const did = await Promise.all(texts.map((text) => writeOnce(path, text)));
  expect(did.filter((mine) => mine)).toHaveLength(1);
  expect(await readFile(path, 'utf8')).toBe(texts[did.indexOf(true)]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['key']);
  await expect(writeOnce(join(folder, 'nowhere', 'key'), 'x')).rejects.toThrow('ENOENT');
  await rm(folder, { recursive: true });
});
