import { describe, expect, test } from 'vitest';
import { ConfigError, type ConfigInput, formatValue, loadConfig, OPTIONS, optionOf, resolveConfig } from './config.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');

function load(input: ConfigInput = {}) {
  return loadConfig({ flags: {}, env: {}, ...input });
}

describe('config', () => {
  test('has its defaults', () => {
    expect(load()).toEqual({
      port: 8420,
      host: '127.0.0.1',
      dataFolder: './.tidings',
      databaseUrl: null,
      masterKey: null,
      allowHttp: false,
      allowPrivate: [],
      publicUrl: null,
      logLevel: 'info',
      json: false,
      processes: 0,
      roles: ['api', 'push', 'inbound'],
      drainSeconds: 10,
      writerQueueBytes: 33_554_432,
      eventCacheBytes: 8_388_608,
      pageCacheBytes: 8_388_608,
      streamsPerApp: 5000,
      streamsPerKey: 5000,
      retainEventDays: 30,
      retainAttemptDays: 14,
      idempotencyHours: 24,
      notify: true,
      failingAlertSeconds: 60,
      lagAlertSeconds: 3600,
      transformThreads: 2,
      transformTimeoutMs: 50,
      transformMemoryBytes: 33_554_432,
      transformAppPercent: 50,
      failpoints: null,
    });
  });

  test('takes the flag over the variable over the default, and knows which', () => {
    const input = { flags: { port: '1' }, env: { TIDINGS_PORT: '2', TIDINGS_HOST: '::1' } };
    expect(load(input)).toMatchObject({ port: 1, host: '::1' });
    const sources = Object.fromEntries(resolveConfig(input).map(({ option, source }) => [option.key, source]));
    expect(sources).toMatchObject({ port: 'flag', host: 'env', json: 'default' });
  });

  test('takes a URL without the slash at its end', () => {
    const publicUrl = (text: string) => load({ env: { TIDINGS_PUBLIC_URL: text } }).publicUrl;
    expect(publicUrl('https://Events.example.com/')).toBe('https://events.example.com');
    expect(publicUrl('http://127.0.0.1:8420/base')).toBe('http://127.0.0.1:8420/base');
    for (const bad of [
      'events.example.com',
      'ftp://a.example',
      'https://a:b@c.example',
      'https://a.example/?x',
      'https://a.example/#',
    ]) {
      expect(() => publicUrl(bad), bad).toThrow(/TIDINGS_PUBLIC_URL is ".*", which cannot be used/);
    }
  });

  test('reads every kind of value', () => {
    expect(
      load({
        flags: { allowPrivate: ['10.0.0.0/8', 'fd00::/8'], allowHttp: true, eventCacheBytes: '2GiB' },
        env: { TIDINGS_JSON: 'yes', TIDINGS_WRITER_QUEUE_BYTES: '1048576', TIDINGS_LOG_LEVEL: 'debug' },
      }),
    ).toMatchObject({
      allowPrivate: ['10.0.0.0/8', 'fd00::/8'],
      allowHttp: true,
      eventCacheBytes: 2 ** 31,
      json: true,
      writerQueueBytes: 2 ** 20,
      logLevel: 'debug',
    });
    expect(load({ env: { TIDINGS_ALLOW_PRIVATE: '10.0.0.0/8, ::1/128' } }).allowPrivate).toEqual([
      '10.0.0.0/8',
      '::1/128',
    ]);
  });

  test.each([
    ['30d', 30],
    ['7', 7],
    ['1 day', 1],
    ['90 Days', 90],
    ['0', 0],
    ['forever', 0],
  ])('takes %s for days', (retainEventDays, days) => {
    expect(load({ flags: { retainEventDays } }).retainEventDays).toBe(days);
  });

  test.each(['12h', '0.5', '-1', '3651d', 'd', ''])('refuses "%s" for days', (retainAttemptDays) => {
    expect(() => load({ flags: { retainAttemptDays } })).toThrow(
      `--retain-attempts is "${retainAttemptDays}", which cannot be used. Give whole days from 1d to 3650d, or forever.`,
    );
  });

  test('takes roles in any order, each once', () => {
    expect(load({ flags: { roles: 'push, api push' } }).roles).toEqual(['api', 'push']);
  });

  test.each([
    [{ TIDINGS_PORT: '65536' }, 'TIDINGS_PORT is "65536", which cannot be used. Give a whole number from 0 to 65535.'],
    [{ TIDINGS_PORT: '80.5' }, /^TIDINGS_PORT is "80\.5"/],
    [
      { TIDINGS_ALLOW_HTTP: 'maybe' },
      'TIDINGS_ALLOW_HTTP is "maybe", which is neither true nor false. Give true or false.',
    ],
    [{ TIDINGS_ALLOW_PRIVATE: '10.0.0.0/8,10.0.0.1' }, /"10\.0\.0\.1" is not an address range/],
    [{ TIDINGS_ALLOW_PRIVATE: '10.0.0.0/33' }, /"10\.0\.0\.0\/33" is not an address range/],
    [
      { TIDINGS_ROLES: 'api,pull' },
      'TIDINGS_ROLES is "api,pull", and "pull" is not a role. Give some of api, push, inbound, separated by commas.',
    ],
    [{ TIDINGS_ROLES: ',' }, /^TIDINGS_ROLES is ",", which names no role/],
    [{ TIDINGS_LOG_LEVEL: 'loud' }, /which is no log level\. Give one of fatal/],
    [{ TIDINGS_EVENT_CACHE_BYTES: '1 byte' }, /Give a size, such as 64MiB, from 1048576/],
    [{ TIDINGS_FAILPOINTS: 'a.b=kill' }, /^TIDINGS_FAILPOINTS cannot be used\. There is no failpoint a\.b/],
    [{ TIDINGS_HOST: ' ' }, /TIDINGS_HOST is "", which is empty/],
  ])('refuses %j in words', (env, words) => {
    expect(() => load({ env })).toThrow(words);
    expect(() => load({ env })).toThrow(ConfigError);
  });

  test('names the flag when the flag is wrong', () => {
    expect(() => load({ flags: { port: 'http' }, env: { TIDINGS_PORT: '1' } })).toThrow(/^--port is "http"/);
  });

  test('requires the master key with a database of its own, and repeats no secret', () => {
    const databaseUrl = 'postgres://u:hunter2@db/tidings';
    expect(load({ env: { DATABASE_URL: databaseUrl, TIDINGS_MASTER_KEY: KEY } })).toMatchObject({
      databaseUrl,
      masterKey: KEY,
    });
    expect(() => load({ env: { DATABASE_URL: databaseUrl } })).toThrow(/^TIDINGS_MASTER_KEY is missing/);
    const wrong = { DATABASE_URL: databaseUrl, TIDINGS_MASTER_KEY: 'hunter3' };
    expect(() => load({ env: wrong })).toThrow(/^TIDINGS_MASTER_KEY cannot be used\. .*32 random bytes/);
    expect(() => load({ env: wrong })).not.toThrow(/hunter/);
    expect(() => load({ env: { DATABASE_URL: 'mysql://u:hunter2@db' } })).toThrow(/^DATABASE_URL is not the address/);
    expect(() => load({ env: { DATABASE_URL: 'mysql://u:hunter2@db' } })).not.toThrow(/hunter/);
    expect(formatValue(optionOf('masterKey'), KEY)).toBe('given');
  });

  test('passes over empty variables and those that Kubernetes sets for a Service', () => {
    expect(load({ env: { TIDINGS_PORT: 'tcp://10.0.0.1:8420', TIDINGS_HOST: '' } })).toEqual(load());
  });

  test('shows values with their unit', () => {
    expect(formatValue(optionOf('drainSeconds'), 10)).toBe('10 seconds');
    expect(formatValue(optionOf('eventCacheBytes'), 3 * 2 ** 20)).toBe('3 MiB');
    expect(formatValue(optionOf('eventCacheBytes'), 1000)).toBe('1000 bytes');
    expect(formatValue(optionOf('allowPrivate'), [])).toBe('none');
    expect(formatValue(optionOf('allowHttp'), true)).toBe('on');
    expect(formatValue(optionOf('roles'), ['api', 'push'])).toBe('api,push');
  });

  test('names each key, variable and flag once', () => {
    for (const name of ['key', 'env', 'flag'] as const) {
      const names = OPTIONS.map((option) => option[name]).filter((value) => value !== null);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});
