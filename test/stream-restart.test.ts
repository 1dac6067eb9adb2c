// A thousand readers whose server goes, in order and by a kill, while the log goes on.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appendEvents } from '../src/storage/append.ts';
import { anEvent } from './event-log.ts';
import { type Serving, serving } from './serving.ts';
import { plainReader } from './stream-readers.ts';
import { until } from './until.ts';

const READERS = 1000;

let servers: Serving;
beforeAll(async () => {
  servers = await serving();
}, 60_000);
afterAll(() => servers.close(), 60_000);

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

describe('a restart', () => {
  test(`loses nothing for ${READERS} streams, whether the server was stopped or killed`, async () => {
    const options = ['--processes', '1', '--port', await freePort()];
    let { child, url } = await servers.start(...options);
    const { id: appId } = await servers.ask(url, 'POST /v1/apps', { name: 'An app' });
    const publish = async (events: number): Promise<void> => {
      for (let n = 0; n < events; n++)
        await servers.ask(url, `POST /v1/apps/${appId}/events`, { type: 'a.b', data: n });
    };
    const readers = Array.from({ length: READERS }, () =>
      plainReader({ url: () => `${url}/v1/apps/${appId}/stream`, apiKey: servers.apiKey }),
    );
    try {
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        await publish(10);
        await until(() => readers.every(({ connections }) => connections > 0));
        const connected = readers.map(({ connections }) => connections);
        const publishing = publish(5).catch(() => {}); // some may meet nobody
        child.kill(signal);
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        await publishing;
        await appendEvents(servers.database.db, [{ appId, events: [anEvent(), anEvent()] }]);
        ({ child, url } = await servers.start(...options));
        await publish(10);
        await until(() => readers.every(({ connections }, i) => connections > connected[i]));
      }
      const { events } = await servers.ask(url, `GET /v1/apps/${appId}/events?limit=1000`);
      const positions = events.map(({ position }: { position: number }) => position);
      expect(positions.length).toBeGreaterThan(43);
      await until(() => readers.every(({ seen }) => seen.length >= positions.length));
      for (const { seen } of readers) expect(seen).toEqual(positions);
    } finally {
      for (const reader of readers) reader.close();
    }
    await servers.cli.stop(child);
  }, 180_000);
});
