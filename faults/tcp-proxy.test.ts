import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../test/until.ts';
import { TcpProxy } from './tcp-proxy.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server that gives back every byte, a proxy before it, and clients that gather what they get. */
async function setup() {
  const arrived: string[] = [];
  let connected = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    connected++;
    sockets.add(socket);
    socket.on('data', (chunk) => {
      arrived.push(chunk.toString());
      socket.write(chunk);
    });
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const proxy = new TcpProxy({ upstream: () => ({ port: (server.address() as net.AddressInfo).port }) });
  await proxy.start();
  closing.push(() => proxy.stop());
  const client = async () => {
    const socket = net.connect(proxy.port, '127.0.0.1');
    const state = { socket, got: '', ended: false };
    socket.on('data', (chunk) => {
      state.got += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      state.ended = true;
    });
    closing.push(() => socket.destroy());
    await once(socket, 'connect');
    return state;
  };
  return { proxy, client, arrived: () => arrived.join(''), connected: () => connected, sockets };
}

describe('tcp proxy', () => {
  test('passes bytes and ends on', async () => {
    const { proxy, client } = await setup();
    const one = await client();
    one.socket.write('hello');
    await until(() => one.got === 'hello');
    one.socket.end();
    await until(() => one.ended && proxy.connections === 0);
  });

  test('drops: nothing arrives until the line is back, then everything does', async () => {
    const { proxy, client, arrived } = await setup();
    const [one, gone] = [await client(), await client()];
    await proxy.set({ kind: 'drop' });
    const late = await client();
    one.socket.write('a');
    late.socket.write('b');
    gone.socket.end('c'); // hangs up: its last words are under way all the same
    await until(() => one.socket.bytesWritten === 1 && late.socket.bytesWritten === 1 && gone.socket.writableFinished);
    expect(arrived()).toBe('');
    await proxy.set({ kind: 'pass' });
    await until(() => one.got === 'a' && late.got === 'b' && arrived().includes('c'));
  });

  test('delays, and keeps the order when the line becomes quicker', async () => {
    const { proxy, client } = await setup();
    const one = await client();
    await proxy.set({ kind: 'delay', ms: 100 });
    const begin = performance.now();
    one.socket.write('a');
    await until(() => one.got === 'a');
    expect(performance.now() - begin).toBeGreaterThanOrEqual(199); // there and back
    one.socket.write('b');
    await until(() => one.socket.bytesWritten === 2);
    await proxy.set({ kind: 'pass' });
    one.socket.write('c');
    await until(() => one.got.length === 3);
    expect(one.got).toBe('abc');
  });

  test('half-open: the connections are dead for good, new ones after it live', async () => {
    const { proxy, client, arrived } = await setup();
    const before = await client();
    await proxy.set({ kind: 'half-open' });
    const during = await client();
    await proxy.set({ kind: 'pass' });
    before.socket.write('x');
    during.socket.write('y');
    const after = await client();
    after.socket.write('z');
    await until(() => after.got === 'z');
    expect([before.got, during.got, before.ended, during.ended, arrived()]).toEqual(['', '', false, false, 'z']);
  });

  test('cuts: connections break, new ones are refused, until the line is back on the same port', async () => {
    const { proxy, client } = await setup();
    const one = await client();
    await proxy.set({ kind: 'cut' });
    await until(() => one.ended);
    await expect(client()).rejects.toThrow(/ECONNREFUSED/);
    await proxy.set({ kind: 'pass' });
    const two = await client();
    two.socket.write('a');
    await until(() => two.got === 'a');
  });
});
