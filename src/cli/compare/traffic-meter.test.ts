import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TrafficMeter } from './traffic-meter.ts';

const server = createServer((socket) => socket.on('error', () => {}).pipe(socket));
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

async function echo(meter: TrafficMeter, words: string) {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  meter.watch(socket);
  socket.write(words);
  await once(socket, 'data');
  meter.watch(socket);
  return socket;
}

describe('traffic meter', () => {
  test('counts the bytes of connections that are open and that were', async () => {
    const meter = new TrafficMeter();
    const first = await echo(meter, '12345');
    const second = await echo(meter, '123');
    const expected = { bytesToConsumer: 8, bytesFromConsumer: 8, connectionsOpened: 2, openConnections: 2 };
    expect(meter.read()).toMatchObject(expected);
    for (const socket of [first, second]) {
      socket.destroy();
      await once(socket, 'close');
    }
    expect(meter.read()).toMatchObject(expected);
    (await echo(meter, '1')).destroy();
    expect(meter.read()).toMatchObject({ bytesToConsumer: 9, connectionsOpened: 3, openConnections: 2 });
  });
});
