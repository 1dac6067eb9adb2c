import { validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndpointConfig } from './endpoint.ts';
import {
  checkUid,
  createEndpointConfig,
  ENDPOINT_LIMITS,
  type EndpointConfigResult,
  type EndpointInput,
  mergeEndpointConfig,
} from './endpoint-config.ts';
import { MAX_RETRY_DELAYS } from './retry-policy.ts';

const URL_GIVEN = 'https://example.com/webhooks';

function configOf(result: EndpointConfigResult): EndpointConfig {
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config;
}

function created(input: EndpointInput = {}): EndpointConfig {
  return configOf(createEndpointConfig({ url: URL_GIVEN, ...input }));
}

/** The paths of what is wrong with a new endpoint. */
function faults(input: object): string[] {
  const result = createEndpointConfig({ url: URL_GIVEN, ...input });
  return result.ok ? [] : result.errors.map((error) => error.path);
}

function headers(count: number, valueLength = 1): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, 'v'.repeat(valueLength)]));
}

describe('endpoint config', () => {
  test('has defaults for all but the URL', () => {
    expect(created()).toEqual({
      url: URL_GIVEN,
      description: '',
      filter: {},
      transformation: { version: 0, code: null },
      format: { name: 'standard' },
      headers: {},
      signing: 'v1',
      auth: null,
      retryDelaysSeconds: null,
      maxConcurrency: 256,
      timeoutMs: 15_000,
      disableAfterSeconds: 432_000,
      rate: null,
      order: 'none',
      onExhausted: 'skip',
      batch: null,
      mode: 'push',
    });
  });

  test('takes everything that is given', () => {
    const input = {
      description: 'Billing\nof Zoë 🦓',
      filter: { types: ['invoice.*'], channels: ['eu'] },
      transform: 'export default (event) => event',
      format: { name: 'standard' as const },
      headers: { authorization: 'Bearer x' },
      signing: 'v1a' as const,
      retry: { delaysSeconds: [1, 2.5] },
      maxConcurrency: 1,
      timeoutMs: 60_000,
      disableAfterSeconds: 60,
      rate: { perSecond: 0.5 },
      order: 'strict' as const,
      onExhausted: 'block' as const,
      batch: { maxEvents: 100, maxWaitMs: 250 },
      mode: 'pull' as const,
    };
    const { retry, transform: code, ...rest } = input;
    const transformation = { version: 1, code };
    const retryDelaysSeconds = retry.delaysSeconds;
    expect(created(input)).toEqual({ url: URL_GIVEN, ...rest, transformation, auth: null, retryDelaysSeconds });
  });

  test.each([{}, { url: undefined }, { url: null }])('needs a URL: %j', (input) => {
    expect(createEndpointConfig(input)).toEqual({
      ok: false,
      errors: [{ path: '/url', message: 'An endpoint needs a URL.' }],
    });
  });

  test('reports everything that is wrong at once', () => {
    const paths = faults({ url: 'x', timeoutMs: 1, headers: { host: 'a', 'b c': 'd' }, filter: { types: [] } });
    expect(paths.toSorted()).toEqual(['/filter/types', '/headers/b c', '/headers/host', '/timeoutMs', '/url']);
  });

  test('keeps the URL as it was written', () => {
    for (const url of ['https://EXAMPLE.com', 'http://127.0.0.1:8080/a?b=c', 'https://bücher.example/ä']) {
      expect(created({ url }).url).toBe(url);
    }
  });

  test.each([
    ['relative', '/webhooks'],
    ['empty', ''],
    ['without a host', 'https://'],
    ['of another scheme', 'ftp://example.com/'],
    ['a script', 'javascript:alert(1)'],
    ['with a password', 'https://user:secret@example.com/'],
    ['with a user name', 'https://user@example.com/'],
    ['with a fragment', 'https://example.com/#part'],
    ['with a space', 'https://example.com/a b'],
    ['with a leading space', ' https://example.com/'],
    ['with a tab', 'https://exam\tple.com/'],
    ['with a line end', 'https://example.com/\r\nx: y'],
    ['with NUL', 'https://example.com/\0'],
    ['with half a surrogate pair', 'https://example.com/\ud800'],
    ['too long', `https://example.com/${'a'.repeat(ENDPOINT_LIMITS.urlLength)}`],
    ['no string', 42],
  ])('refuses a URL that is %s', (_, url) => {
    expect(faults({ url })).toEqual(['/url']);
  });

  test.each([
    ['too long', 'x'.repeat(ENDPOINT_LIMITS.descriptionLength + 1)],
    ['with NUL', 'a\0b'],
    ['with half a surrogate pair', '\udc00'],
    ['no string', {}],
  ])('refuses a description that is %s', (_, description) => {
    expect(faults({ description })).toEqual(['/description']);
  });

  test.each(['timeoutMs', 'maxConcurrency', 'disableAfterSeconds'] as const)('keeps %s within its limits', (name) => {
    const { min, max } = ENDPOINT_LIMITS[name];
    expect(faults({ [name]: min })).toEqual([]);
    expect(faults({ [name]: max })).toEqual([]);
    for (const value of [min - 1, max + 1, min + 0.5, Number.NaN, Number.POSITIVE_INFINITY, -min, String(min), true]) {
      expect(faults({ [name]: value })).toEqual([`/${name}`]);
    }
  });

  test.each([0.01, 0.5, 1, 100_000])('takes a rate of %d a second', (perSecond) => {
    expect(created({ rate: { perSecond } }).rate).toEqual({ perSecond });
  });

  test.each([0, 0.009, 100_001, -1, Number.NaN, Number.POSITIVE_INFINITY, '5', null, undefined, true])(
    'refuses a rate of %j a second',
    (perSecond) => {
      expect(faults({ rate: { perSecond } })).toEqual(['/rate/perSecond']);
    },
  );

  test('keeps a batch within its limits', () => {
    const { batchEvents, batchWaitMs } = ENDPOINT_LIMITS;
    for (const maxEvents of [batchEvents.min, batchEvents.max]) {
      for (const maxWaitMs of [batchWaitMs.min, batchWaitMs.max]) {
        expect(created({ batch: { maxEvents, maxWaitMs } }).batch).toEqual({ maxEvents, maxWaitMs });
      }
    }
    for (const maxEvents of [1, 1001, 2.5, Number.NaN, '10', undefined]) {
      expect(faults({ batch: { maxEvents, maxWaitMs: 0 } })).toEqual(['/batch/maxEvents']);
    }
    for (const maxWaitMs of [-1, 60_001, 0.5, Number.NaN, '10', null]) {
      expect(faults({ batch: { maxEvents: 2, maxWaitMs } })).toEqual(['/batch/maxWaitMs']);
    }
    expect(faults({ batch: {} })).toEqual(['/batch/maxEvents']);
  });

  test('lets a batch wait for a second when nothing is said', () => {
    expect(created({ batch: { maxEvents: 10 } }).batch).toEqual({ maxEvents: 10, maxWaitMs: 1000 });
  });

  test('refuses an unknown order and an unknown way on', () => {
    for (const value of ['fifo', '', true, 1]) {
      expect(faults({ order: value })).toEqual(['/order']);
      expect(faults({ onExhausted: value })).toEqual(['/onExhausted']);
    }
  });

  test('refuses an unknown signing scheme and a schedule that is too long', () => {
    expect(faults({ signing: 'v2' })).toEqual(['/signing']);
    expect(faults({ retry: { delaysSeconds: Array(MAX_RETRY_DELAYS + 1).fill(1) } })).toEqual(['/retry/delaysSeconds']);
    expect(faults({ retry: { delaysSeconds: [-1] } })).toEqual(['/retry/delaysSeconds/0']);
  });

  test('drops repeated entries of a filter', () => {
    expect(created({ filter: { types: ['b', 'a', 'b'], channels: ['x', 'x'] } }).filter).toEqual({
      types: ['b', 'a'],
      channels: ['x'],
    });
  });
});

describe('endpoint headers', () => {
  test('are kept with names in lower case and values without space around them', () => {
    const given = { 'X-Api-Key': ' \tk e y\t ', Authorization: 'Basic é', "!#$%&'*+-.^_`|~": '' };
    expect(created({ headers: given }).headers).toEqual({
      'x-api-key': 'k e y',
      authorization: 'Basic é',
      "!#$%&'*+-.^_`|~": '',
    });
  });

  test('named like a property of every object are kept too', () => {
    const given = JSON.parse('{"__proto__": "a", "constructor": "b"}');
    expect(JSON.stringify(created({ headers: given }).headers)).toBe('{"__proto__":"a","constructor":"b"}');
  });

  test.each([
    'Host',
    'content-length',
    'Content-Type',
    'content-encoding',
    'connection',
    'keep-alive',
    'transfer-encoding',
    'TE',
    'trailer',
    'upgrade',
    'expect',
    'user-agent',
    'traceparent',
    'proxy-authorization',
    'webhook-id',
    'Webhook-Anything',
    'tidings-attempt',
  ])('may not set %s', (name) => {
    expect(faults({ headers: { [name]: 'x' } })).toEqual([`/headers/${name}`]);
  });

  test.each(['', 'a b', 'a:', ':path', 'é', 'a\r\nb', 'a\0', 'a"', '(a)', 'a{}'])('may not be named %j', (name) => {
    expect(faults({ headers: { [name]: 'x' } })).toEqual([`/headers/${name}`]);
  });

  test.each(['a\r\nb: c', 'a\nb', 'a\rb', 'a\0', 'a\x1b', 'a\x7f', 'a\x85', '€', '🦓'])(
    'may not have the value %j',
    (value) => {
      expect(faults({ headers: { 'x-a': value } })).toEqual(['/headers/x-a']);
    },
  );

  test('have strings as values', () => {
    for (const value of [1, null, ['a'], {}]) expect(faults({ headers: { 'x-a': value } })).toEqual(['/headers/x-a']);
    for (const given of ['a', ['a'], 5]) expect(faults({ headers: given })).toEqual(['/headers']);
  });

  test('are pointed at by a JSON Pointer', () => {
    expect(faults({ headers: { 'a/b': 'x' } })).toEqual(['/headers/a~1b']);
  });

  test('are there once, whatever their case', () => {
    expect(faults({ headers: { 'X-A': '1', 'x-a': '2' } })).toEqual(['/headers/x-a']);
    expect(faults({ headers: { 'x-a': '1', 'X-A': '2' } })).toEqual(['/headers/X-A']);
  });

  test('are limited in number and in all', () => {
    expect(faults({ headers: headers(32) })).toEqual([]);
    expect(faults({ headers: headers(33) })).toEqual(['/headers']);
    const lineBytes = 'x-0: \r\n'.length;
    expect(faults({ headers: headers(1, ENDPOINT_LIMITS.headerBytes - lineBytes) })).toEqual([]);
    expect(faults({ headers: headers(1, ENDPOINT_LIMITS.headerBytes - lineBytes + 1) })).toEqual(['/headers']);
  });

  test('that are accepted can be sent', () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 5 }), fc.stringMatching(/^[a-zA-Z-]{1,5}$/));
    fc.assert(
      fc.property(fc.dictionary(text, text), (given) => {
        const result = createEndpointConfig({ url: URL_GIVEN, headers: given });
        if (!result.ok) return;
        for (const [name, value] of Object.entries(result.config.headers)) {
          validateHeaderName(name);
          validateHeaderValue(name, value);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('endpoint change', () => {
  const current = created({
    description: 'old',
    filter: { types: ['a'] },
    headers: { 'x-a': '1' },
    retry: { delaysSeconds: [1] },
    maxConcurrency: 3,
    timeoutMs: 5000,
    disableAfterSeconds: 3600,
    rate: { perSecond: 10 },
    order: 'strict',
    onExhausted: 'block',
    batch: { maxEvents: 10, maxWaitMs: 10 },
    mode: 'pull',
  });

  test('leaves what is absent as it was', () => {
    expect(configOf(mergeEndpointConfig(current, {}))).toEqual(current);
    expect(configOf(mergeEndpointConfig(current, { retry: {}, url: undefined }))).toEqual(current);
    expect(configOf(mergeEndpointConfig(current, { timeoutMs: 6000 }))).toEqual({ ...current, timeoutMs: 6000 });
  });

  test('sets what is null to its default', () => {
    const nothing = {
      description: null,
      filter: null,
      headers: null,
      signing: null,
      retry: null,
      maxConcurrency: null,
      timeoutMs: null,
      disableAfterSeconds: null,
      rate: null,
      order: null,
      onExhausted: null,
      batch: null,
      mode: null,
    };
    expect(configOf(mergeEndpointConfig(current, nothing))).toEqual(created());
    expect(configOf(mergeEndpointConfig(current, { retry: { delaysSeconds: null } })).retryDelaysSeconds).toBeNull();
  });

  test('replaces filter, headers and batch as a whole', () => {
    const change = { filter: { channels: ['eu'] }, headers: { 'x-b': '2' }, batch: { maxEvents: 5 } };
    expect(configOf(mergeEndpointConfig(current, change))).toEqual({
      ...current,
      ...change,
      batch: { maxEvents: 5, maxWaitMs: 1000 },
    });
  });

  test('keeps what only strict order uses while the order is another', () => {
    const without = configOf(mergeEndpointConfig(current, { order: 'none' }));
    expect(without).toEqual({ ...current, order: 'none' });
    expect(configOf(mergeEndpointConfig(without, { order: 'strict' }))).toEqual(current);
  });

  test('cannot take the URL away', () => {
    expect(mergeEndpointConfig(current, { url: null })).toMatchObject({ ok: false, errors: [{ path: '/url' }] });
  });

  test('is checked only where it changes something', () => {
    const older = { ...current, timeoutMs: 90_000 }; // from before the limit
    expect(configOf(mergeEndpointConfig(older, { description: 'new' })).timeoutMs).toBe(90_000);
    expect(mergeEndpointConfig(older, { timeoutMs: 90_000 }).ok).toBe(false);
  });

  test('never alters what it was given', () => {
    const frozen = Object.freeze({ ...current, headers: Object.freeze({ ...current.headers }) });
    const result = configOf(mergeEndpointConfig(frozen, { headers: Object.freeze({ 'X-B': ' 2 ' }) }));
    expect(result.headers).toEqual({ 'x-b': '2' });
    expect(created().filter).not.toBe(created().filter);
  });
});

describe('uid', () => {
  test('is accepted within its alphabet', () => {
    for (const uid of ['a', 'customer-42', 'A.b_c-D', '9'.repeat(128)]) expect(checkUid(uid)).toEqual([]);
  });

  test.each(['', 'a b', 'a/b', 'é', 'a\n', 'x'.repeat(129), 5, null])('is not %j', (uid) => {
    expect(checkUid(uid).map((error) => error.path)).toEqual(['/uid']);
  });

  test.each(['ep_1', 'app_tidings', 'evt_', 'src_x'])('%s could be taken for an id', (uid) => {
    expect(checkUid(uid)[0].message).toContain(`The uid ${uid} could be taken for an id`);
  });
});
