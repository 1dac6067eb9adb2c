// SIGKILL while webhooks come in: what the provider was told is stored is in the log, and however often it sent it, once.
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningServer, startServer } from './server.ts';

const KILLS = 4;
const SENDERS = 8;
const SECRET = 'a-secret-of-the-hook';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidings-inbound-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a source whose server is killed', () => {
  test('has each acknowledged webhook in the log once', { timeout: 180_000 }, async () => {
    let server: RunningServer = await startServer(folder);
    const app = (await server.call('POST', '/v1/apps', { name: 'Acme' })).body.id;
    const members = { kind: 'webhook', provider: 'github', secrets: [SECRET] };
    const { path } = (await server.call('POST', `/v1/apps/${app}/sources`, members)).body;

    const acknowledged: string[] = [];
    let repeated = 0;
    let isSending = true;
    let number = 0;
    const send = async (delivery: string): Promise<boolean> => {
      const body = JSON.stringify({ delivery });
      const headers = {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': delivery,
        'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
      };
      const answer = await fetch(`${server.url}${path}`, { method: 'POST', body, headers }).catch(() => null);
      await answer?.arrayBuffer().catch(() => null);
      return answer?.status === 200;
    };
    // As a provider does: it sends again until it is told that it arrived.
    const sender = async (): Promise<void> => {
      while (isSending) {
        const delivery = `delivery-${number++}`;
        while (!(await send(delivery))) {
          repeated++;
          await pause(50);
        }
        acknowledged.push(delivery);
      }
    };
    const senders = Array.from({ length: SENDERS }, sender);
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(300 + Math.random() * 700);
      await server.kill();
      server = await startServer(folder);
    }
    isSending = false;
    await Promise.all(senders);

    const stored: string[] = [];
    let after = '';
    for (let done = false; !done; ) {
      const page = (await server.call('GET', `/v1/apps/${app}/events?limit=1000${after}`)).body;
      stored.push(...page.events.map((event: { data: { delivery: string } }) => event.data.delivery));
      after = `&after=${page.cursor}`;
      done = page.done;
    }
    await server.stop();
    expect(repeated).toBeGreaterThan(0);
    expect(acknowledged.length).toBeGreaterThan(KILLS);
    expect(stored.toSorted()).toEqual(acknowledged.toSorted());
  });
});
