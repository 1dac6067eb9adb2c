import { Agent, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../test/until.ts';
import { drainServer } from './drain.ts';

let app: FastifyInstance;
let agent: Agent;
let port: number;
let release: () => void;
let inHandler: number;

beforeEach(async () => {
  inHandler = 0;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  app = Fastify({ forceCloseConnections: 'idle', return503OnClosing: false, keepAliveTimeout: 60_000 });
  app.get('/', async () => 'done');
  app.get('/held', async () => {
    inHandler++;
    await held;
    return 'done';
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = app.server.address() as AddressInfo);
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
});
afterEach(async () => {
  agent.destroy();
  await app.close();
});

/** The status and the `connection` header of the answer, or the error's code. */
function get(path: string, through: Agent | undefined = agent): Promise<[number | undefined, string | undefined]> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent: through }, (response) => {
      response.resume().on('end', () => resolve([response.statusCode, response.headers.connection]));
    })
      .on('error', reject)
      .end();
  });
}

describe('drain', () => {
  test('serves whoever has not heard of it, and asks them to go with the answer', async () => {
    expect(await get('/')).toEqual([200, 'keep-alive']);
    const drained = drainServer(app, { graceMs: 500, drainMs: 5000 });
    expect(await get('/')).toEqual([200, 'close']); // on the connection that was idle
    expect(await get('/')).toEqual([200, 'close']); // on a new one
    await drained;
    await expect(get('/')).rejects.toThrow('ECONNREFUSED');
  });

  test('waits for an open request, and for no idle connection', async () => {
    const other = new Agent({ keepAlive: true });
    await get('/', other);
    const open = get('/held');
    await until(() => inHandler === 1);
    let isDrained = false;
    const drained = drainServer(app, { graceMs: 10, drainMs: 10_000 }).then(() => {
      isDrained = true;
    });
    await until(() => !app.server.listening);
    expect(isDrained).toBe(false);
    release();
    expect((await open)[0]).toBe(200);
    await drained;
    other.destroy();
  });

  test('gives up what is still open when its time is over', async () => {
    const open = get('/held').catch((error: NodeJS.ErrnoException) => error.code);
    const silent = connect(port, '127.0.0.1').on('error', () => {});
    await until(() => inHandler === 1);
    const begin = performance.now();
    await drainServer(app, { graceMs: 10, drainMs: 200 });
    expect(performance.now() - begin).toBeGreaterThan(190);
    expect(await open).toBe('ECONNRESET');
    silent.destroy();
  });

  test('is over at once without any time, and where nobody listens', async () => {
    const open = get('/held').catch((error: NodeJS.ErrnoException) => error.code);
    await until(() => inHandler === 1);
    await drainServer(app, { graceMs: 500, drainMs: 0 });
    expect(await open).toBe('ECONNRESET');
    const unheard = Fastify();
    const begin = performance.now();
    await drainServer(unheard, { graceMs: 60_000, drainMs: 60_000 });
    expect(performance.now() - begin).toBeLessThan(10_000);
  });
});
