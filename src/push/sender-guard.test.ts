// The guard at work in the sender: what is checked is what is connected to.
import { afterEach, describe, expect, test } from 'vitest';
import { receiver } from '../../test/receiver.ts';
import type { SendResult } from '../core/outcome.ts';
import { parseTarget } from '../net/address-guard.ts';
import { SendFailure } from '../net/send-failure.ts';
import { Sender, type SenderParts } from './sender.ts';

const PERMISSIVE = { allowHttp: true, allowPrivate: ['0.0.0.0/0', '::/0'] };
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A sender whose names resolve as the script says, each resolution taking the next answer. */
async function setup(answers: (string[] | SendFailure)[], parts: Partial<SenderParts> = {}) {
  const hooks = await receiver({ keepAlive: false });
  const asked: string[] = [];
  const resolver = {
    async resolve(host: string): Promise<readonly string[]> {
      asked.push(host);
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      if (answer instanceof SendFailure) throw answer;
      return answer;
    },
  };
  const rules = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };
  const sender = new Sender({ rules, resolver, ...parts });
  await sender.start();
  closers.push(
    () => hooks.close(),
    () => sender.stop(),
  );
  const send = (host = 'hooks.test', timeoutMs = 5000): Promise<SendResult> =>
    new Promise((resolve) => {
      // A target from laxer times: the sender's own rules must hold nevertheless.
      const target = parseTarget(`http://${host}:${hooks.port}/`, PERMISSIVE);
      sender.send({ target, headers: {}, body: Buffer.from('x'), timeoutMs }, resolve);
    });
  return { hooks, sender, asked, send };
}

describe('guard in the sender', () => {
  test.each([
    ['a private address', ['10.0.0.7'], '10.0.0.7, a private address', '10.0.0.0/8'],
    [
      'one private address among allowed ones',
      ['127.0.0.1', '192.168.1.1'],
      '192.168.1.1, a private address',
      '192.168.0.0/16',
    ],
    ['a mapped address', ['::ffff:10.0.0.7'], '::ffff:10.0.0.7, a private address', '10.0.0.0/8'],
    ['the metadata service', ['169.254.169.254'], '169.254.169.254, a link-local address', '169.254.0.0/16'],
    ['an IPv6 address beside an allowed one', ['127.0.0.1', 'fd00::1'], 'fd00::1, a private address', 'fc00::/7'],
  ])('refuses a name that resolves to %s', async (_, addresses, what, cidr) => {
    const { hooks, sender, send } = await setup([addresses]);
    const result = await send();
    expect(result).toMatchObject({
      outcome: 'rejected',
      reason: 'address_forbidden',
      status: null,
      remoteAddress: null,
    });
    expect(result.error).toBe(
      `hooks.test leads to ${what}. Use a public address, or start the server with --allow-private ${cidr}.`,
    );
    expect(hooks.accepted).toBe(0);
    expect(sender.connections.open).toBe(0);
  });

  test('refuses a literal that its own rules forbid', async () => {
    const { hooks, asked, send } = await setup([[]], { rules: { allowHttp: true, allowPrivate: [] } });
    for (const host of ['127.0.0.1', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', '[64:ff9b::7f00:1]']) {
      expect(await send(host)).toMatchObject({ outcome: 'rejected', reason: 'address_forbidden' });
    }
    expect(hooks.accepted).toBe(0);
    expect(asked).toEqual([]);
  });

  test('holds against rebinding: it resolves once per connection and connects to what it checked', async () => {
    const { hooks, asked, send } = await setup([['127.0.0.1'], ['10.0.0.7'], ['127.0.0.1']]);
    expect(await send()).toMatchObject({ outcome: 'delivered', remoteAddress: '127.0.0.1' });
    expect(asked).toHaveLength(1);
    expect(hooks.requests[0].headers.host).toBe(`hooks.test:${hooks.port}`);
    expect(await send()).toMatchObject({ outcome: 'rejected', reason: 'address_forbidden' });
    expect(asked).toHaveLength(2);
    expect(await send()).toMatchObject({ outcome: 'delivered' });
    expect(hooks.accepted).toBe(2);
  });

  test('treats localhost as the loopback address that is let in', async () => {
    const { hooks, send } = await setup([['127.0.0.1', '::1']]);
    expect(await send('localhost')).toMatchObject({ outcome: 'delivered', remoteAddress: '127.0.0.1' });
    expect(hooks.accepted).toBe(1);
  });

  test('gives a name that only looks like localhost no such ease', async () => {
    const { send } = await setup([['127.0.0.1', '::1']]);
    expect(await send('notlocalhost')).toMatchObject({ reason: 'address_forbidden' });
  });

  test('tries the next address when one fails', async () => {
    const { hooks, send } = await setup([['127.0.0.2', '127.0.0.3', '127.0.0.1']]);
    expect(await send()).toMatchObject({ outcome: 'delivered', remoteAddress: '127.0.0.1' });
    expect(hooks.requests).toHaveLength(1);
  });

  test('tries at most four addresses and reports the last failure', async () => {
    const { send } = await setup([['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5', '127.0.0.1']]);
    const result = await send();
    expect(result).toMatchObject({ outcome: 'unreachable', reason: 'connection_refused' });
    expect(result.error).toContain('127.0.0.5');
  });

  test('reports a name that does not resolve', async () => {
    const { send } = await setup([new SendFailure('dns_failed', 'The name hooks.test has no address (ENOTFOUND).')]);
    expect(await send()).toMatchObject({
      outcome: 'unreachable',
      reason: 'dns_failed',
      error: 'The name hooks.test has no address (ENOTFOUND).',
    });
  });

  test('ends at the deadline while the name is being resolved', async () => {
    const { sender, send } = await setup([[]], { resolver: { resolve: () => new Promise<never>(() => {}) } });
    expect(await send('slow.test', 100)).toMatchObject({ outcome: 'unreachable', reason: 'timeout_connect' });
    expect(sender.connections.open).toBe(0);
  });
});
