import { afterEach, describe, expect, test } from 'vitest';
import { type NameServer, nameServer, type Zone } from '../../test/name-server.ts';
import { DnsResolver } from './dns-resolver.ts';
import { SendFailure } from './send-failure.ts';

let server: NameServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function setup(zone: Zone, parts: { useSystem?: boolean; budgetMs?: number } = {}) {
  const names = await nameServer(zone);
  server = names;
  let nowMs = 1000;
  const clock = {
    advance(ms: number) {
      nowMs += ms;
    },
  };
  const resolver = new DnsResolver({ useSystem: false, servers: [names.address], now: () => nowMs, ...parts });
  return { names, resolver, clock };
}

async function failureOf(work: Promise<unknown>): Promise<SendFailure> {
  const error = await work.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SendFailure);
  return error as SendFailure;
}

describe('dns resolver', () => {
  test('gives the addresses of both families', async () => {
    const { resolver, names } = await setup({ 'hooks.test': { addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'] } });
    expect((await resolver.resolve('hooks.test')).toSorted()).toEqual(['192.0.2.1', '192.0.2.2', '2001:db8::1']);
    expect(names.questions.toSorted()).toEqual(['A hooks.test', 'AAAA hooks.test']);
  });

  test('does with one family where the other has no record', async () => {
    const { resolver } = await setup({ 'six.test': { addresses: ['2001:db8::1'] } });
    expect(await resolver.resolve('six.test')).toEqual(['2001:db8::1']);
  });

  test('asks once for the callers of one moment, and not again until the records expire', async () => {
    const { resolver, names, clock } = await setup({ 'hooks.test': { addresses: ['192.0.2.1'], ttl: 5 } });
    await Promise.all([resolver.resolve('hooks.test'), resolver.resolve('hooks.test')]);
    clock.advance(4900);
    await resolver.resolve('hooks.test');
    expect(names.questions).toHaveLength(2);
    names.zone['hooks.test'] = { addresses: ['192.0.2.9'] };
    clock.advance(200);
    expect(await resolver.resolve('hooks.test')).toEqual(['192.0.2.9']);
  });

  test('remembers for 5 s that a name does not exist', async () => {
    const { resolver, names, clock } = await setup({});
    const failure = await failureOf(resolver.resolve('gone.test'));
    expect(failure.reason).toBe('dns_failed');
    expect(failure.message).toBe('The name gone.test has no address (ENOTFOUND).');
    const asked = names.questions.length;
    clock.advance(4900);
    await failureOf(resolver.resolve('gone.test'));
    expect(names.questions).toHaveLength(asked);
    names.zone['gone.test'] = { addresses: ['192.0.2.1'] };
    clock.advance(200);
    expect(await resolver.resolve('gone.test')).toEqual(['192.0.2.1']);
  });

  test('says when a name server fails', async () => {
    const { resolver } = await setup({ 'bad.test': 'broken' });
    const failure = await failureOf(resolver.resolve('bad.test'));
    expect(failure.reason).toBe('dns_failed');
    expect(failure.message).toBe('The name bad.test could not be resolved (ESERVFAIL).');
  });

  test('gives up when its time is over', async () => {
    const { resolver } = await setup({ 'slow.test': 'silent' }, { budgetMs: 50 });
    const failure = await failureOf(resolver.resolve('slow.test'));
    expect(failure.reason).toBe('dns_failed');
    expect(failure.message).toBe('The name slow.test was not resolved within 50 ms.');
  });

  test('knows localhost without asking', async () => {
    const { resolver, names } = await setup({});
    for (const name of ['localhost', 'app.localhost']) {
      expect(await resolver.resolve(name)).toEqual(['127.0.0.1', '::1']);
    }
    expect(names.questions).toEqual([]);
  });

  test('asks the operating system where DNS knows nothing and that is wanted', async () => {
    const { resolver } = await setup({}, { useSystem: true });
    const { hostname } = await import('node:os');
    // A machine's own name is in its /etc/hosts, or the system knows it by other means.
    const own = await import('node:dns/promises').then((dns) => dns.lookup(hostname()).catch(() => null));
    if (own === null) expect((await failureOf(resolver.resolve(hostname()))).reason).toBe('dns_failed');
    else expect(await resolver.resolve(hostname().toLowerCase())).toContain(own.address);
    const missing = Array.from({ length: 5 }, (_, i) => failureOf(resolver.resolve(`missing${i}.invalid`)));
    for (const failure of await Promise.all(missing)) expect(failure.reason).toBe('dns_failed');
  });
});
