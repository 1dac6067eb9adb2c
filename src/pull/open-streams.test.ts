import { afterEach, describe, expect, test } from 'vitest';
import { until } from '../../test/until.ts';
import type { TidingsError } from '../core/errors.ts';
import { type OpenStream, OpenStreams } from './open-streams.ts';

class Recorded implements OpenStream {
  readonly appId: string;
  readonly keyId: string;
  readonly log: string[] = [];
  beats = 0;

  constructor(appId: string, keyId: string) {
    this.appId = appId;
    this.keyId = keyId;
  }
  beat(): void {
    this.beats++;
  }
  end(reason: TidingsError | null): void {
    this.log.push(`end ${reason?.code ?? 'away'}`);
  }
  destroy(): void {
    this.log.push('destroy');
  }
}

let streams: OpenStreams;
const keys = new Set<string>();
const apps = new Set<string>();
const errors: unknown[] = [];
let failures = 0;
async function setup(): Promise<OpenStreams> {
  keys.clear();
  apps.clear();
  errors.length = 0;
  streams = new OpenStreams({
    limits: { perApp: 2, perKey: 3 },
    liveKeys: async (ids) => {
      if (failures-- > 0) throw new Error('The database is away.');
      return new Set(ids.filter((id) => keys.has(id)));
    },
    liveApps: async (ids) => new Set(ids.filter((id) => apps.has(id))),
    onError: (error) => errors.push(error),
    options: { beatEveryMs: 150, checkEveryMs: 20 },
  });
  await streams.start();
  return streams;
}
afterEach(() => streams.stop());

describe('open streams', () => {
  test('counts by app and by key, and takes back what was given up once', async () => {
    await setup();
    const give = streams.reserve({ appId: 'a', keyId: 'k' });
    streams.reserve({ appId: 'a', keyId: 'k' });
    expect(() => streams.reserve({ appId: 'a', keyId: 'other' })).toThrow('This app has 2 streams open');
    streams.reserve({ appId: 'b', keyId: 'k' });
    expect(() => streams.reserve({ appId: 'c', keyId: 'k' })).toThrow('This key has 3 streams open');
    give();
    give();
    streams.reserve({ appId: 'a', keyId: 'k' });
    expect(() => streams.reserve({ appId: 'c', keyId: 'k' })).toThrow('This key has 3');
    expect(() => streams.reserve({ appId: 'a', keyId: 'other' })).toThrow('This app has 2');
  });

  test('gives every stream its beat, as often as the others', async () => {
    await setup();
    keys.add('k');
    apps.add('a');
    const open = Array.from({ length: 40 }, () => new Recorded('a', 'k'));
    const removes = open.map((stream) => streams.add(stream));
    await until(() => open.every(({ beats }) => beats >= 2));
    expect(Math.max(...open.map(({ beats }) => beats))).toBeLessThanOrEqual(
      Math.min(...open.map(({ beats }) => beats)) + 1,
    );
    for (const remove of removes) remove();
    const before = open.map(({ beats }) => beats);
    const later = new Recorded('a', 'k');
    streams.add(later);
    await until(() => later.beats >= 2);
    expect(open.map(({ beats }) => beats)).toEqual(before);
  });

  test('ends those whose key or app is gone, whatever failed before', async () => {
    await setup();
    for (const id of ['k', 'lost']) keys.add(id);
    for (const id of ['a', 'deleted']) apps.add(id);
    const [stays, lost, deleted] = [new Recorded('a', 'k'), new Recorded('a', 'lost'), new Recorded('deleted', 'k')];
    for (const stream of [stays, lost, deleted]) streams.add(stream);
    failures = 2;
    keys.delete('lost');
    apps.delete('deleted');
    await until(() => lost.log.length > 0 && deleted.log.length > 0);
    expect([lost.log[0], deleted.log[0], stays.log]).toEqual(['end unauthorized', 'end not_found', []]);
    expect(errors).toHaveLength(2);
  });

  test('tells all to go when it stops, and cuts off who stays', async () => {
    await setup();
    const [goes, stays] = [new Recorded('a', 'k'), new Recorded('a', 'k')];
    const remove = streams.add(goes);
    streams.add(stays);
    await streams.stop();
    expect(streams.isStopped).toBe(true);
    remove();
    await until(() => stays.log.includes('destroy'));
    expect([goes.log, stays.log]).toEqual([['end away'], ['end away', 'destroy']]);
  });
});
