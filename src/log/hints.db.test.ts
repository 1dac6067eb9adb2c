import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/database.ts';
import { testIds } from '../../test/event-log.ts';
import { until } from '../../test/until.ts';
import { Database } from '../storage/database.ts';
import { Notifications } from '../storage/notifications.ts';
import { Hints, type HintsOptions } from './hints.ts';

let database: TestDatabase;
const running: { hints: Hints; db: Database }[] = [];
const overheard: string[] = [];
let eavesdropper: Notifications;
beforeEach(async () => {
  database = await testDatabase();
  overheard.length = 0;
  const onPayload = (payload: string) => overheard.push(payload);
  eavesdropper = new Notifications({ db: database.db, onPayload, onLost: () => {}, statementTimeoutMs: 3000 });
  await eavesdropper.listen();
});
afterEach(async () => {
  for (const { hints, db } of running.splice(0)) {
    await hints.stop();
    await db.close();
  }
  await eavesdropper.close();
  await database.close();
});

async function aProcess(
  more: {
    isOn?: boolean;
    isAlone?: () => boolean;
    answer?: (question: unknown) => unknown;
  } & Partial<HintsOptions> = {},
) {
  const { isOn = true, isAlone = () => false, answer = () => null, ...options } = more;
  const db = new Database({ connection: database.connection });
  const heard: unknown[] = [];
  const errors: unknown[] = [];
  const hints = new Hints({
    db,
    isOn,
    newUuid: () => testIds.uuid(),
    isAlone,
    onHead: (appId, head) => heard.push([appId, head]),
    onAppChanged: (appId) => heard.push(`changed ${appId}`),
    onCommand: (slot) => heard.push(`command ${slot}`),
    onSlotsMoved: () => heard.push('slots'),
    onCatalogueChanged: () => heard.push('catalogue'),
    answer,
    onError: (error) => errors.push(error),
    options,
  });
  running.push({ hints, db });
  await hints.start();
  return { hints, db, heard, errors };
}

const aHead = (position: number) => ({ position, day: '2026-11-21', configVersion: 3 });

describe('hints', () => {
  test('reach the other processes and not the one that sent them', async () => {
    const [a, b, c] = [await aProcess(), await aProcess(), await aProcess()];
    a.hints.headMoved('app_1', aHead(7));
    a.hints.appChanged('app_2');
    a.hints.commandWaiting(9);
    a.hints.slotsMoved();
    a.hints.catalogueChanged();
    for (const { heard } of [b, c]) await until(() => heard.length === 5);
    expect(b.heard).toEqual([['app_1', aHead(7)], 'changed app_2', 'command 9', 'slots', 'catalogue']);
    expect(a.heard).toEqual([]);
  });

  test('of one moment are one notification, with the newest head of each app', async () => {
    const [a, b] = [await aProcess({ coalesceMs: 20 }), await aProcess()];
    for (let position = 1; position <= 100; position++) a.hints.headMoved('app_1', aHead(position));
    a.hints.headMoved('app_2', aHead(1));
    await until(() => b.heard.length > 0);
    expect(b.heard).toEqual([
      ['app_1', aHead(100)],
      ['app_2', aHead(1)],
    ]);
    await until(() => overheard.length > 0);
    expect(overheard).toHaveLength(1);
  });

  test('of a process that is alone are not sent, but for what tells that it is not', async () => {
    const [a, b] = [await aProcess({ isAlone: () => true }), await aProcess()];
    a.hints.headMoved('app_1', aHead(1));
    a.hints.appChanged('app_1');
    a.hints.commandWaiting(1);
    expect(await a.hints.ask('anybody?')).toBeNull();
    a.hints.slotsMoved();
    await until(() => b.heard.length > 0);
    expect(b.heard).toEqual(['slots']);
  });

  test('are neither sent nor heard when they are off', async () => {
    const [off, on] = [await aProcess({ isOn: false }), await aProcess()];
    off.hints.headMoved('app_1', aHead(1));
    off.hints.slotsMoved();
    expect(await off.hints.ask('anybody?')).toBeNull();
    on.hints.slotsMoved();
    await until(() => overheard.length > 0);
    await off.hints.stop();
    expect(overheard).toEqual(['{"s":1}']);
    expect(off.heard).toEqual([]);
  });

  test('that wait when the process stops are sent', async () => {
    const [a, b] = [await aProcess({ coalesceMs: 60_000 }), await aProcess()];
    a.hints.slotsMoved();
    await a.hints.stop();
    await until(() => b.heard.length === 1);
  });

  test('go on after the connection was lost', async () => {
    const [a, b] = [await aProcess(), await aProcess()];
    await database.db.query({
      name: 'test_terminate',
      text: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`,
    });
    await until(() => {
      a.hints.slotsMoved();
      return b.heard.length > 0;
    });
  });

  test('that make no sense are passed over', async () => {
    const a = await aProcess();
    await eavesdropper.send(['nonsense', '{"h":[null]}', '{"c":["app_1"]}']);
    await until(() => a.heard.length > 0);
    expect(a.heard).toEqual(['changed app_1']);
    expect(a.errors).toHaveLength(1);
  });
});

describe('question', () => {
  test('is answered by the process that knows', async () => {
    const asker = await aProcess();
    await aProcess();
    await aProcess({ answer: (question) => ({ to: question, knows: true }) });
    expect(await asker.hints.ask({ lane: 'ep_1' })).toEqual({ to: { lane: 'ep_1' }, knows: true });
    const answers = await Promise.all([1, 2, 3].map((n) => asker.hints.ask(n)));
    expect(answers).toEqual([1, 2, 3].map((to) => ({ to, knows: true })));
  });

  test('that nobody answers in time has none', async () => {
    const asker = await aProcess({ answerWithinMs: 50 });
    await aProcess();
    expect(await asker.hints.ask('anybody?')).toBeNull();
  });

  test('under way when the process stops has none', async () => {
    const asker = await aProcess({ answerWithinMs: 60_000 });
    await aProcess();
    const answer = asker.hints.ask('anybody?');
    await asker.hints.stop();
    expect(await answer).toBeNull();
  });
});
