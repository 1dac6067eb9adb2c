import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { anEndpoint, anEvent, laneAlone } from '../../test/lane-alone.ts';
import { buildBatch, buildRequest } from './delivery-request.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const startedMs = Date.now();

describe('delivery request', () => {
  test('has the headers of the endpoint below those of its own', () => {
    const endpoint = anEndpoint({ settings: { headers: { 'x-own': '1', 'user-agent': 'mine' } } });
    const { headers, body } = buildRequest(endpoint, { event: anEvent(7), attempt: 3, startedMs }, '1.0');
    expect(headers).toMatchObject({
      'x-own': '1',
      'user-agent': 'Tidings/1.0',
      'content-type': 'application/json',
      'webhook-id': 'evt_7',
      'tidings-attempt': '3',
      'tidings-position': '7',
    });
    expect(headers['tidings-batch-size']).toBeUndefined();
    expect(() => new Webhook(SECRET).verify(body, headers)).not.toThrow();
    expect(body.toString()).toBe('{"type":"a","timestamp":"1970-01-01T00:00:00.000Z","data":{}}');
  });

  test('of a batch is signed once over the array, under an id of its own', async () => {
    const at = laneAlone({ settledThrough: 0, settings: { batch: { maxEvents: 3, maxWaitMs: 0 } } });
    at.state.nowMs = startedMs;
    at.lane.wake();
    await at.turn();
    at.offerThrough(3);
    await at.turn();
    const { headers, body } = buildBatch(at.sent[0].batch!, '1.0');
    expect(headers).toMatchObject({
      'webhook-id': expect.stringMatching(/^bat_[0-9a-z]{26}$/),
      'tidings-batch-size': '3',
      'tidings-position': '3',
      'tidings-attempt': '1',
    });
    expect(() => new Webhook(SECRET).verify(body, headers)).not.toThrow();
    expect(JSON.parse(body.toString()).map(({ id }: { id: string }) => id)).toEqual(['evt_1', 'evt_2', 'evt_3']);
  });
});
