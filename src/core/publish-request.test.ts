import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DATA_VALUES, REFUSED_BODIES } from '../../test/byte-corpus.ts';
import { type FieldError, TidingsError } from './errors.ts';
import type { NewEvent } from './event.ts';
import { hashBody, hashEvent, parsePublish, parsePublishBatch } from './publish-request.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 10);

function setup() {
  let minted = 0;
  return { newId: () => `evt_${++minted}`, nowMs: NOW_MS };
}

function publish(body: string | Buffer): NewEvent {
  return parsePublish(Buffer.from(body as string), setup());
}

function publishBatch(body: string | Buffer): NewEvent[] {
  return parsePublishBatch(Buffer.from(body as string), setup());
}

function failure(call: () => unknown): TidingsError {
  try {
    call();
  } catch (error) {
    if (error instanceof TidingsError) return error;
    throw error;
  }
  throw new Error('The request was accepted.');
}

function problems(call: () => unknown): FieldError[] {
  const error = failure(call);
  expect(error.code).toBe('invalid_request');
  return error.errors ?? [];
}

describe('publish request', () => {
  test('needs a type and data only', () => {
    expect(publish('{"type":"invoice.paid","data":{"a":1}}')).toEqual({
      id: 'evt_1',
      ownId: false,
      type: 'invoice.paid',
      timeMs: NOW_MS,
      timeGiven: false,
      channels: [],
      data: Buffer.from('{"a":1}'),
    });
  });

  test('takes id, time and channels in any order and spelling', () => {
    const body =
      ' { "channels" : [ "eu" , "a\\u002fb" ] ,\n"\\u0074ime":"2026-11-21T11:00:00.5+01:00","data": null ,"id":"order-1\\u0037","type":"a"} ';
    expect(publish(body)).toEqual({
      id: 'order-17',
      ownId: true,
      type: 'a',
      timeMs: NOW_MS + 500,
      timeGiven: true,
      channels: ['eu', 'a/b'],
      data: Buffer.from('null'),
    });
  });

  test('takes an id that was minted here as an own id', () => {
    const event = publish('{"type":"a","data":0,"id":"evt_01k9z3n5w8e6rt4q0v2x7y1abc"}');
    expect(event).toMatchObject({ id: 'evt_01k9z3n5w8e6rt4q0v2x7y1abc', ownId: true });
  });

  test.each(DATA_VALUES)('keeps $name byte for byte, alone and in a batch', ({ bytes }) => {
    const alone = Buffer.concat([Buffer.from('{"type":"a","data": \n'), bytes, Buffer.from('\t ,"id":"x"}')]);
    expect(publish(alone).data.equals(bytes)).toBe(true);
    const pad = Buffer.from(`,{"type":"b","data":"${'x'.repeat(20_000)}"}`);
    const batch = Buffer.concat([Buffer.from('{"events":['), alone, pad, Buffer.from(']}')]);
    const events = publishBatch(batch);
    expect(events.map((event) => event.data.length)).toEqual([bytes.length, 20_002]);
    expect(events[0].data.equals(bytes)).toBe(true);
  });

  test.each(REFUSED_BODIES)('refuses $name as data', ({ name, bytes, reason }) => {
    const body = Buffer.concat([Buffer.from('{"type":"a","data":'), bytes, Buffer.from('}')]);
    const error = failure(() => publish(body));
    expect(error.code).toBe('invalid_json');
    // At the start of a body, at its end, or open to what follows, some are broken in another way than as a value.
    if (
      !/mark|empty|white space only|UTF-16|cut off|unterminated|two|something|the value$|too many|at the end|end is/.test(
        name,
      )
    ) {
      expect(error.detail).toMatch(reason);
    }
  });

  test.each(REFUSED_BODIES)('refuses $name as a body', ({ name, bytes, reason }) => {
    // A batch may be two containers deeper: those around each event.
    const parsers = name.endsWith('129 deep') ? [publish] : [publish, publishBatch];
    for (const parse of parsers) {
      const error = failure(() => parse(bytes));
      expect(error.code).toBe('invalid_json');
      expect(error.detail).toMatch(reason);
    }
  });

  test('lets data be nested 127 deep, in a batch too, and no deeper', () => {
    const event = (depth: number) => `{"type":"a","data":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(publish(event(127)).data).toHaveLength(254);
    expect(publishBatch(`{"events":[${event(127)}]}`)[0].data).toHaveLength(254);
    expect(failure(() => publish(event(128))).detail).toMatch(/nested too deeply/);
    expect(failure(() => publishBatch(`{"events":[${event(128)}]}`)).detail).toMatch(/nested too deeply/);
  });

  test('tells all that is wrong at once', () => {
    const body = '{"type":"a b","id":"a.b","time":"yesterday","channels":["ok","ok","","a b",7],"tpye/":1}';
    expect(problems(() => publish(body))).toEqual([
      { path: '/type', message: expect.stringContaining('must be a string of 1 to 128') },
      { path: '/id', message: expect.stringContaining('no dots') },
      { path: '/time', message: expect.stringContaining('RFC 3339') },
      { path: '/channels/1', message: 'The channel "ok" stands twice; name it once.' },
      { path: '/channels/2', message: expect.stringContaining('must be a string of 1 to 128') },
      { path: '/channels/3', message: expect.any(String) },
      { path: '/channels/4', message: expect.any(String) },
      {
        path: '/tpye~1',
        message: 'There is no member "tpye/"; an event has "type", "data", "id", "time", "channels" and "deliverAt".',
      },
      { path: '/data', message: expect.stringContaining('missing') },
    ]);
    expect(failure(() => publish(body)).detail).toMatch(
      /^The request is not valid at \/type: The type .* \(9 problems\)$/,
    );
  });

  test.each([
    ['{}', ['/type', '/data']],
    ['{"type":"a"}', ['/data']],
    ['{"data":1}', ['/type']],
    ['{"type":null,"data":1}', ['/type']],
    ['{"type":"","data":1}', ['/type']],
    ['{"type":"é","data":1}', ['/type']],
    ['{"type":"a\\u0000","data":1}', ['/type']],
    ['{"type":"a\\n","data":1}', ['/type']],
    ['{"type":["a"],"data":1}', ['/type']],
    [`{"type":"${'a'.repeat(129)}","data":1}`, ['/type']],
    [`{"type":"a","data":1,"id":"${'a'.repeat(65)}"}`, ['/id']],
    ['{"type":"a","data":1,"id":""}', ['/id']],
    ['{"type":"a","data":1,"id":null}', ['/id']],
    ['{"type":"a","data":1,"id":17}', ['/id']],
    ['{"type":"a","data":1,"time":1795255200000}', ['/time']],
    ['{"type":"a","data":1,"time":null}', ['/time']],
    ['{"type":"a","data":1,"time":"2026-02-30T00:00:00Z"}', ['/time']],
    ['{"type":"a","data":1,"channels":"eu"}', ['/channels']],
    ['{"type":"a","data":1,"channels":{"0":"eu"}}', ['/channels']],
    ['{"type":"a","data":1,"channels":null}', ['/channels']],
    ['{"type":"a","data":1,"channels":["1","2","3","4","5","6","7","8","9","10","11"]}', ['/channels']],
    [`{"type":"a","data":1,"channels":["${'a'.repeat(129)}"]}`, ['/channels/0']],
    ['{"type":"a","data":1,"channels":["a","\\u0061"]}', ['/channels/1']],
    ['{"type":"a","data":1,"Type":"b"}', ['/Type']],
    ['{"type":"a","data":1,"typ\\u00e9":"b"}', ['/typé']],
    ['{"type":"a","data":1,"":1}', ['/']],
    ['[]', ['']],
    ['"a"', ['']],
    ['null', ['']],
    ['7', ['']],
  ])('refuses %s', (body, paths) => {
    expect(problems(() => publish(body)).map(({ path }) => path)).toEqual(paths);
  });

  test('accepts the longest of everything', () => {
    const channels = Array.from({ length: 10 }, (_, i) => String(i).repeat(128));
    const event = { type: 'T'.repeat(128), id: '-'.repeat(64), channels, data: 0 };
    expect(publish(JSON.stringify(event))).toMatchObject({ type: event.type, id: event.id, channels });
  });

  test('says that a body is broken rather than what a valid one would lack', () => {
    expect(failure(() => publish('{"tpye":1,"type":7')).code).toBe('invalid_json');
    expect(failure(() => publish('[1,2')).code).toBe('invalid_json');
    expect(failure(() => publishBatch('{"events":7}x')).code).toBe('invalid_json');
  });
});

describe('publish batch', () => {
  test('keeps the order and mints an id for each event without one', () => {
    const body = '{"events":[{"type":"a","data":1},{"type":"b","id":"own","data":2},{"type":"c","data":3}]}';
    const seen = publishBatch(body).map(({ type, id, ownId, data }) => [type, id, ownId, data.toString()]);
    expect(seen).toEqual([
      ['a', 'evt_1', false, '1'],
      ['b', 'own', true, '2'],
      ['c', 'evt_2', false, '3'],
    ]);
  });

  test('takes 1 to 1,000 events', () => {
    const events = (count: number) => `{"events":[${Array(count).fill('{"type":"a","data":1}').join(',')}]}`;
    expect(publishBatch(events(1))).toHaveLength(1);
    expect(publishBatch(events(1_000))).toHaveLength(1_000);
    expect(problems(() => publishBatch(events(0)))[0].path).toBe('/events');
    expect(problems(() => publishBatch(events(1_001)))).toEqual([
      { path: '/events', message: 'The array has 1001 events; 1,000 is the most: send several batches.' },
    ]);
  });

  test('names the event that is wrong', () => {
    const body =
      '{"events":[{"type":"a","data":1},{"type":" ","data":1},7,{"type":"a","data":1,"channels":[0]}],"x":1}';
    const paths = problems(() => publishBatch(body)).map(({ path }) => path);
    expect(paths).toEqual(['/events/1/type', '/events/2', '/events/3/channels/0', '/x']);
  });

  test('tells 20 problems and no more', () => {
    const body = `{"events":[${Array(500).fill('{}').join(',')}]}`;
    expect(problems(() => publishBatch(body))).toHaveLength(20);
    expect(failure(() => publishBatch(body)).detail).toMatch(/\(at least 20 problems\)$/);
  });

  test('refuses an own id that stands twice', () => {
    const body = '{"events":[{"type":"a","data":1,"id":"x"},{"type":"a","data":1},{"type":"a","data":1,"id":"x"}]}';
    expect(problems(() => publishBatch(body))).toEqual([
      { path: '/events/2/id', message: 'The id is that of /events/0 too; give each event its own.' },
    ]);
  });

  test.each([
    ['{}', ['/events']],
    ['{"events":{}}', ['/events']],
    ['{"events":null}', ['/events']],
    ['{"events":[]}', ['/events']],
    ['{"type":"a","data":1}', ['/type', '/data', '/events']],
    ['[{"type":"a","data":1}]', ['']],
  ])('refuses %s', (body, paths) => {
    const found = problems(() => publishBatch(body)).map(({ path }) => path);
    expect([...new Set(found)]).toEqual(paths);
  });

  test('does not keep a large body alive for a small event', () => {
    const body = Buffer.from(`{"events":[{"type":"a","data":"small"},{"type":"a","data":"${'x'.repeat(1_000_000)}"}]}`);
    const [small, large] = parsePublishBatch(body, setup());
    expect(small.data.buffer).not.toBe(body.buffer);
    expect(small.data.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
    expect(large.data.buffer).toBe(body.buffer);
  });

  test('gives the events that publishing one by one gives', () => {
    const events = fc.array(
      fc.record(
        { type: fc.stringMatching(/^[a-z.]{1,20}$/), data: fc.jsonValue(), channels: fc.constant(['a', 'b']) },
        { requiredKeys: ['type', 'data'], noNullPrototype: true },
      ),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(events, fc.nat(3), (list, indent) => {
        const batch = publishBatch(JSON.stringify({ events: list }, null, indent));
        const alone = list.map((event, i) => ({ ...publish(JSON.stringify(event)), id: `evt_${i + 1}` }));
        expect(batch.map(({ data, ...rest }) => ({ ...rest, data: JSON.parse(data.toString()) }))).toEqual(
          alone.map(({ data, ...rest }) => ({ ...rest, data: JSON.parse(data.toString()) })),
        );
      }),
    );
  });
});

describe('hash', () => {
  test('of a body is its SHA-256', () => {
    const hex = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(hashBody(Buffer.from('abc')).toString('hex')).toBe(hex);
  });

  test('of an event is the same alone, in a batch, at another time, and in another spelling of the request', () => {
    const alone = publish('{"type":"a","data":{"x":1},"id":"i","channels":["c"]}');
    const [batched] = publishBatch('{"events":[ {"channels":["\\u0063"], "id":"i", "data": {"x":1} , "type":"a"}]}');
    const later = parsePublish(Buffer.from('{"type":"a","data":{"x":1},"id":"i","channels":["c"]}'), {
      newId: () => 'evt_x',
      nowMs: NOW_MS + 1,
    });
    expect(hashEvent(alone)).toHaveLength(32);
    expect(hashEvent(batched)).toEqual(hashEvent(alone));
    expect(hashEvent(later)).toEqual(hashEvent(alone));
  });

  test('of an event differs by type, time if given, channels and every byte of data', () => {
    const bodies = [
      '{"type":"a","data":{"x":1}}',
      '{"type":"b","data":{"x":1}}',
      '{"type":"a","data":{"x":1.0}}',
      '{"type":"a","data":{"x": 1}}',
      '{"type":"a","data":{"x":1},"time":"2026-11-21T10:00:00Z"}',
      '{"type":"a","data":{"x":1},"time":"2026-11-21T10:00:00.001Z"}',
      '{"type":"a","data":{"x":1},"channels":["c"]}',
      '{"type":"a","data":{"x":1},"channels":["c","d"]}',
      '{"type":"a","data":{"x":1},"channels":["d","c"]}',
    ];
    const hashes = bodies.map((body) => hashEvent(publish(body)).toString('hex'));
    expect(new Set(hashes).size).toBe(bodies.length);
  });
});
