import { describe, expect, test } from 'vitest';
import { anEndpoint, anEvent, aRetry, DELIVERED, laneAlone as setup, UNREACHABLE } from '../../test/lane-alone.ts';
import { MAX_SPAN_POSITIONS } from './lane-cursor.ts';

describe('lane', () => {
  test('goes on where it was told to skip to while a read of the log was under way', async () => {
    const at = setup({ settledThrough: 0 });
    at.route(300);
    at.lane.wake();
    await at.turn();
    expect(at.reads).toHaveLength(1);
    at.lane.reconfigure(anEndpoint({ configVersion: 2, skipThrough: 200 }));
    await at.turn();
    at.reads[0].resolve([anEvent(1)]);
    await at.turn();
    expect(at.reads).toHaveLength(2);
    at.reads[1].resolve(Array.from({ length: 100 }, (_, i) => anEvent(201 + i)));
    await at.turn();
    expect(at.sent[0].attempt.event.position).toBe(201);
  });

  test('goes on when it was paused and resumed while a read of the log was under way', async () => {
    const at = setup({ settledThrough: 0 });
    at.route(600);
    at.lane.wake();
    await at.turn();
    at.reads[0].resolve(Array.from({ length: 255 }, (_, i) => anEvent(1 + i)));
    await at.turn();
    expect(at.reads).toHaveLength(2);
    at.lane.reconfigure(anEndpoint({ configVersion: 2, paused: true }));
    at.lane.reconfigure(anEndpoint({ configVersion: 3 }));
    for (const { answer } of at.sent) answer(DELIVERED);
    await at.turn();
    at.commit();
    await at.turn();
    at.reads[1].resolve([anEvent(256)]);
    await at.turn();
    expect(at.reads).toHaveLength(3);
  });

  test('does not send again what its last owner has settled, when those events are handed over late', async () => {
    const at = setup({ settledThrough: 5, settledBeyond: new Set([7]) });
    at.lane.wake();
    await at.turn();
    for (const position of [6, 7, 8]) at.offer(position);
    await at.turn();
    expect(at.sent.map(({ attempt }) => attempt.event.position)).toEqual([6, 8]);
  });

  test('does not send a retry when the lease has run out while its event was read', async () => {
    const at = setup({ settledThrough: 10, retries: { total: 1, next: [aRetry(5)] } });
    at.lane.wake();
    await at.turn();
    expect(at.eventReads).toHaveLength(1);
    at.state.maySend = false;
    at.eventReads[0].resolve(anEvent(5));
    await at.turn();
    expect(at.sent).toHaveLength(0);
    at.state.maySend = true;
    at.lane.wake();
    await at.turn();
    at.eventReads[1].resolve(anEvent(5));
    await at.turn();
    expect(at.sent).toHaveLength(1);
  });

  test('asks for a turn later when its retries could not be read', async () => {
    const at = setup({ settledThrough: 10, retries: { total: 300, next: [] } });
    at.lane.wake();
    await at.turn();
    at.refills[0].reject(new Error('the database is gone'));
    await at.turn();
    expect(at.wakes).toContain(at.state.nowMs + 1000);
  });

  test('an event whose outcome waits for its flush is not parked when the span is full', async () => {
    const at = setup({ settledThrough: 0 });
    at.lane.wake();
    await at.turn();
    at.offer(1);
    await at.turn();
    expect(at.sent).toHaveLength(1);
    at.offer(MAX_SPAN_POSITIONS + 2);
    at.sent[0].answer(DELIVERED);
    await at.turn();
    expect(at.flushed.filter((item) => item.retry !== null)).toEqual([]);
    at.commit();
    await at.turn();
    expect(at.sent).toHaveLength(2);
    expect(at.lane.retryCount).toBe(0);
  });

  test('an event that is still open when the span is full is parked, and its retry closed when it is delivered', async () => {
    const at = setup({ settledThrough: 0 });
    at.lane.wake();
    await at.turn();
    at.offer(1);
    await at.turn();
    at.offer(MAX_SPAN_POSITIONS + 2);
    await at.turn();
    expect(at.flushed.map((item) => item.retry?.reason)).toEqual(['open']);
    at.commit();
    await at.turn();
    expect(at.sent).toHaveLength(2);
    expect(at.lane.settled.position).toBe(MAX_SPAN_POSITIONS + 1);
    at.sent[0].answer(DELIVERED);
    expect(at.flushed[0].closedRetry?.position).toBe(1);
    at.commit();
    expect(at.lane.retryCount).toBe(0);
  });

  test('begins nothing while its app has no room for more transformations, and pins the version that it begins with', async () => {
    const transformation = { version: 3, code: 'export default (event) => event' };
    const one = setup({ settledThrough: 0, settings: { transformation } });
    one.route(0);
    one.lane.wake();
    await one.turn();
    one.state.mayTransform = false;
    one.offerThrough(2);
    await one.turn();
    expect(one.requests).toEqual([]);
    expect(one.lane.waitsForTransforms).toBe(true);
    one.state.mayTransform = true;
    one.lane.wake();
    await one.turn();
    expect(one.requests).toEqual([[1], [2]]);
    expect(one.sent.map(({ attempt }) => attempt.transformationVersion)).toEqual([3, 3]);
    await one.answer(UNREACHABLE);
    expect(one.flushed.map(({ retry }) => retry?.transformationVersion)).toEqual([3, 3]);
  });
});
