// The whole server, put together: one code path for every process (design, "Processes").
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { buildServer, closeServer } from '../api/server.ts';
import { armFailpoints, parseFailpoints } from '../core/failpoint.ts';
import { IdGenerator } from '../core/id.ts';
import { SecretBox } from '../core/secret-box.ts';
import { EventCache } from '../log/event-cache.ts';
import { HeadsPoll } from '../log/heads-poll.ts';
import { Tail } from '../log/tail.ts';
import { Writer } from '../log/writer.ts';
import { parseTarget } from '../push/address-guard.ts';
import { Dispatcher } from '../push/dispatcher.ts';
import { Operations } from '../push/operations.ts';
import { Ownership } from '../push/ownership.ts';
import { Sender } from '../push/sender.ts';
import { ensureBuiltinApp } from '../storage/apps.ts';
import type { Database } from '../storage/database.ts';
import { loadInstance } from '../storage/instance.ts';
import { migrate, pendingMigrations } from '../storage/migrate.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import type { Config } from './config.ts';
import { LocalEngine } from './engine.ts';
import { Maintenance } from './maintenance.ts';
import { loadMasterKey } from './master-key.ts';
import { measure } from './metrics.ts';
import { openDatabase } from './open-database.ts';
import { VERSION } from './version.ts';

export interface Tidings {
  /** Where the API listens. */
  url: string;
  databaseUrl: string;
  db: Database;
  stop(): Promise<void>;
}

/** A part of the server; started in order, stopped in reverse. */
interface Part {
  start?(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the server. With `migrate` pending migrations are run, without it they are refused in words.
 * Whatever was started is stopped again when a later part fails.
 */
export async function startTidings(config: Config, { migrate: mayMigrate }: { migrate: boolean }): Promise<Tidings> {
  const started: Part[] = [];
  const stop = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const part of started.splice(0).reverse()) await part.stop().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const { url, databaseUrl, db } = await start(config, mayMigrate, async (part) => {
      started.push(part);
      await part.start?.();
    });
    return { url, databaseUrl, db, stop };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

async function start(
  config: Config,
  mayMigrate: boolean,
  use: (part: Part) => Promise<void>,
): Promise<Omit<Tidings, 'stop'>> {
  const log = pino({ level: config.logLevel }, pino.destination(2));
  const onError = (error: unknown): void => log.error({ err: error }, (error as Error).message);

  if (config.failpoints !== null) {
    log.warn(`failpoints are armed: ${config.failpoints}`);
    armFailpoints(parseFailpoints(config.failpoints), {
      kill: () => process.kill(process.pid, 'SIGKILL'),
      stop: () => process.kill(process.pid, 'SIGSTOP'),
      pause,
    });
  }

  const database = await openDatabase(config, onError);
  const { db } = database;
  await use({ stop: () => database.close() });
  if (mayMigrate) {
    for (const name of await migrate(db)) log.info(`migrated: ${name}`);
  } else {
    const pending = await pendingMigrations(db);
    if (pending.length > 0) {
      throw new Error(`The database lacks ${pending.length} migrations (${pending.join(', ')}). Run: tidings migrate`);
    }
  }

  const masterKey = await loadMasterKey(config.masterKey, config.dataFolder);
  const box = new SecretBox({ keys: [masterKey], randomBytes });
  const instance = await loadInstance(db, { box, randomBytes });
  await ensureBuiltinApp(db);

  const rules = { allowHttp: config.allowHttp, allowPrivate: config.allowPrivate };
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const cache = new EventCache({ db, options: { maxBytes: config.eventCacheBytes } });
  const tail: Tail = new Tail({
    cache,
    onEvents: (appId, events, head) => dispatcher.onEvents(appId, events, head),
    onFirstSeen: (appId, head) => dispatcher.onHead(appId, head),
    onConfigChanged: (appId) => dispatcher.configChanged(appId),
    onError,
  });
  const writer = new Writer({
    db,
    onCommitted: (appId, events) => tail.committed(appId, events),
    ensurePartitions: () => ensurePartitions(db, { daysAhead: 7 }),
    options: { maxQueueBytes: config.writerQueueBytes, maxQueueBytesPerApp: config.writerQueueBytes },
  });
  const operations = new Operations({ append: (request) => writer.append(request), now: Date.now, onError });
  const sender = new Sender({ rules });
  const ownership: Ownership = new Ownership({
    db,
    newUuid: () => ids.uuid(),
    version: VERSION,
    onTaken: (slots) => void dispatcher.takeSlots(slots),
    onLost: () => dispatcher.loseAll(),
    onError,
  });
  const dispatcher: Dispatcher = new Dispatcher({
    db,
    box,
    rules,
    ids,
    cache,
    sender,
    ownership,
    operations,
    version: VERSION,
    onAppDeleted: (appId) => tail.forget(appId),
    onError,
  });
  const engine = new LocalEngine({
    db,
    box,
    rules,
    ids,
    cache,
    tail,
    writer,
    dispatcher,
    ownership,
    sender,
    version: VERSION,
  });
  const registry = new Registry();
  measure(registry, { writer, dispatcher, cache, ownership });

  await use(new Maintenance({ db, onError }));
  await use(writer);
  await use(tail);
  await use(operations);
  await use(sender);
  await use({
    // Lanes are taken when they can send, and given up when what they sent is written.
    start: async () => {
      await dispatcher.start();
      await ownership.start();
    },
    stop: async () => {
      await dispatcher.stop(config.drainSeconds * 1000);
      await ownership.stop();
    },
  });
  await use(new HeadsPoll({ db, tail, onError }));

  const server = await buildServer({
    db,
    box,
    engine,
    instance,
    registry,
    ids,
    version: VERSION,
    checkUrl: (url) => void parseTarget(url, rules),
    onError,
  });
  await use({ stop: () => closeServer(server, config.drainSeconds * 1000) });
  const url = await server.listen({ port: config.port, host: config.host });
  return { url, databaseUrl: database.url, db };
}
