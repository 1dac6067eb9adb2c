import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../test/until.ts';
import { BlackHole } from './black-hole.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('black hole', () => {
  test('accepts, reads and answers nothing, and counts who hangs', async () => {
    const blackHole = new BlackHole();
    cleanups.push(() => blackHole.close());
    const { port } = await blackHole.listen();
    const socket = net.connect({ port, host: '127.0.0.1' });
    cleanups.push(() => void socket.destroy());
    let answered = 0;
    socket.on('data', (bytes) => {
      answered += bytes.length;
    });
    // More than the buffers of both sides hold: it is sent only if it is read.
    await new Promise((resolve) => socket.write(Buffer.alloc(32 * 1024 * 1024), resolve));
    expect(blackHole.stats()).toEqual({ connections: 1, open: 1 });
    expect(answered).toBe(0);
    socket.destroy();
    await until(() => blackHole.stats().open === 0);
    expect(blackHole.stats().connections).toBe(1);
  });
});
