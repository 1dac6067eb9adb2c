import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../app/config.ts';
import { startTidings } from '../app/tidings.ts';
import { ensureAdminKey } from './admin-key.ts';
import type { DemoServer } from './demo/demo.ts';

/** A server with its data in a temporary folder, which is removed when it stops. The environment has no say in it. */
export async function startTemporaryServer(name: string): Promise<DemoServer> {
  const folder = await mkdtemp(join(tmpdir(), `tidings-${name}-`));
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 5 });
  const flags = {
    port: '0',
    dataFolder: folder,
    allowHttp: true,
    allowPrivate: '127.0.0.0/8',
    logLevel: 'error',
  };
  try {
    const server = await startTidings(loadConfig({ flags, env: {} }), { migrate: true });
    const apiKey = await ensureAdminKey(server.db, folder);
    return {
      url: server.url,
      apiKey,
      stop: async () => {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
