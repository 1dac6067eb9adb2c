import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestCli, testCli } from './cli.ts';
import { testDatabase } from './database.ts';

const MASTER_KEY = Buffer.alloc(32, 1).toString('base64');

let cli: TestCli;
beforeAll(async () => {
  cli = await testCli();
}, 60_000);
afterAll(() => cli.close());

describe('tidings serve', () => {
  test('runs on the database of DATABASE_URL', async () => {
    const { url: databaseUrl, close } = await testDatabase();
    try {
      const env = { DATABASE_URL: databaseUrl, TIDINGS_MASTER_KEY: MASTER_KEY };
      const { child, url } = await cli.ready(['serve'], env);
      const created = await cli.run(['keys', 'create', '--name', 'x', '--json'], env);
      const { key, permissions, app } = JSON.parse(created.stdout);
      expect({ permissions, app }).toEqual({ permissions: ['read', 'publish', 'manage'], app: null });
      expect((await fetch(`${url}/v1/apps`, { headers: { authorization: `Bearer ${key}` } })).status).toBe(200);
      const unknown = await cli.run(['keys', 'create', '--name', 'x', '--app', 'nobody'], env);
      expect(unknown).toMatchObject({ code: 1, stderr: expect.stringMatching(/^tidings: .*nobody/) });
      expect((await cli.stop(child)).code).toBe(0);
    } finally {
      await close();
    }
  }, 60_000);
});
