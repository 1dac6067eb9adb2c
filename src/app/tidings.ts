// The whole server, put together: one code path for every process (design, "Processes").
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { drainServer } from '../api/drain.ts';
import { buildServer } from '../api/server.ts';
import { armFailpoints, parseFailpoints } from '../core/failpoint.ts';
import { IdGenerator } from '../core/id.ts';
import { SecretBox } from '../core/secret-box.ts';
import { Fetches } from '../inbound/fetch/fetches.ts';
import { HttpFetcher } from '../inbound/fetch/http-fetcher.ts';
import { SourceTransforms } from '../inbound/source-transforms.ts';
import { Catalogue } from '../log/catalogue.ts';
import { EventCache } from '../log/event-cache.ts';
import { GapReader } from '../log/gap-reader.ts';
import { HeadsPoll } from '../log/heads-poll.ts';
import { Hints } from '../log/hints.ts';
import { Scheduler } from '../log/scheduler.ts';
import { Tail } from '../log/tail.ts';
import { Writer } from '../log/writer.ts';
import { parseTarget } from '../net/address-guard.ts';
import { ConsumerWatch } from '../pull/consumer-watch.ts';
import { FrameRuns } from '../pull/frame-runs.ts';
import { LogReaders } from '../pull/log-readers.ts';
import { RenderedLog } from '../pull/rendered-log.ts';
import { CommandPoll } from '../push/command-poll.ts';
import { Dispatcher } from '../push/dispatcher.ts';
import { LagWatch } from '../push/lag-watch.ts';
import { Operations } from '../push/operations.ts';
import { Ownership } from '../push/ownership.ts';
import { Sender } from '../push/sender.ts';
import { ensureBuiltinApp } from '../storage/apps.ts';
import type { Database } from '../storage/database.ts';
import { readHead } from '../storage/heads.ts';
import { loadInstance } from '../storage/instance.ts';
import { ensurePartitions } from '../storage/partitions.ts';
import { TransformPool } from '../transform/transform-pool.ts';
import { commandHandlers } from './command-handlers.ts';
import type { Config } from './config.ts';
import { LocalEngine } from './engine.ts';
import { limitHeapGrowth } from './heap-growth.ts';
import { buildInbound } from './inbound.ts';
import { LaneOwner } from './lane-owner.ts';
import { laneHealth } from './lane-status.ts';
import { onErrorOf, openLog } from './log.ts';
import { Maintenance } from './maintenance.ts';
import { loadMasterKey } from './master-key.ts';
import { measure } from './metrics.ts';
import { openDatabase } from './open-database.ts';
import { PartList } from './part-list.ts';
import { prepareSchema } from './prepare-schema.ts';
import { Readiness } from './readiness.ts';
import { Retention } from './retention.ts';
import { VERSION } from './version.ts';

export interface Tidings {
  /** Where the API listens. */
  url: string;
  databaseUrl: string;
  db: Database;
  /** `replaced`: another process serves the same port, so this one is ready to the last. */
  stop(options?: { replaced?: boolean }): Promise<void>;
}

export interface TidingsOptions {
  /** Whether pending migrations are run, or refused in words. */
  migrate: boolean;
  /** How long a stopping server still serves clients that have not heard of it. */
  graceMs?: number;
}

const GRACE_MS = 500;
/** Beyond the drain: to write down what came of the attempts, and to close what is open. */
export const STOP_MARGIN_MS = 4000;

/** Starts the server. Whatever was started is stopped again when a later part fails. */
export async function startTidings(config: Config, options: TidingsOptions): Promise<Tidings> {
  const parts = new PartList();
  const stopMs = config.drainSeconds * 1000 + STOP_MARGIN_MS;
  try {
    const { readiness, ...server } = await start(config, options, parts);
    return {
      ...server,
      stop: ({ replaced = false } = {}) => {
        if (!replaced) readiness.stop();
        return parts.stop(stopMs);
      },
    };
  } catch (error) {
    await parts.stop(stopMs).catch(() => {});
    throw error;
  }
}

async function start(
  config: Config,
  options: TidingsOptions,
  parts: PartList,
): Promise<Omit<Tidings, 'stop'> & { readiness: Readiness }> {
  limitHeapGrowth();
  const log = openLog(config);
  const onError = onErrorOf(log);

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
  await parts.use({ stop: () => database.close() });
  await prepareSchema(db, { migrate: options.migrate, log });

  const masterKey = await loadMasterKey(config.masterKey, config.dataFolder);
  const box = new SecretBox({ keys: [masterKey], randomBytes });
  const instance = await loadInstance(db, { box, randomBytes });
  await ensureBuiltinApp(db);

  const { roles } = config;
  const rules = { allowHttp: config.allowHttp, allowPrivate: config.allowPrivate, publicUrl: config.publicUrl };
  const ids = new IdGenerator({ now: Date.now, randomBytes });
  const cache = new EventCache({ db, options: { maxBytes: config.eventCacheBytes } });
  const rendered = new RenderedLog({ cache, instance, maxBytes: config.pageCacheBytes });
  const readers = new LogReaders({ onError });
  const runs = new FrameRuns({ db, cache, rendered });
  const tail: Tail = new Tail({
    cache,
    gaps: new GapReader({ db, cache }),
    isWanted: (appId) => dispatcher.wants(appId) || readers.countOf(appId) > 0,
    onEvents: (appId, events, head) => {
      dispatcher.onEvents(appId, events, head);
      readers.moved(appId, head);
    },
    onHead: (appId, head) => {
      dispatcher.onHead(appId, head);
      readers.moved(appId, head);
    },
    onConfigChanged: (appId) => dispatcher.configChanged(appId),
    onError,
  });
  const writer = new Writer({
    db,
    onCommitted: (appId, events) => {
      tail.committed(appId, events);
      hints.headMoved(appId, events[events.length - 1]);
    },
    ensurePartitions: () => ensurePartitions(db, { daysAhead: 7 }),
    options: {
      maxQueueBytes: config.writerQueueBytes,
      maxQueueBytesPerApp: config.writerQueueBytes,
      keyHours: config.idempotencyHours,
    },
  });
  const operations: Operations = new Operations({
    append: (request) => writer.append(request),
    now: Date.now,
    healthOf: (appId, endpointId) => laneHealth(dispatcher.lane(appId, endpointId)),
    onError,
    options: { failingAfterMs: config.failingAlertSeconds * 1000 },
  });
  const sender = new Sender({ rules });
  const transforms = new TransformPool({
    options: {
      threads: config.transformThreads,
      timeoutMs: config.transformTimeoutMs,
      memoryBytes: config.transformMemoryBytes,
      appShare: config.transformAppPercent / 100,
    },
    onError,
  });
  const ownership: Ownership = new Ownership({
    db,
    newUuid: () => ids.uuid(),
    version: VERSION,
    roles,
    load: () => dispatcher.load(),
    onTaken: (slots) => void dispatcher.takeSlots(slots),
    onRelease: async (slots) => {
      await commands.release(slots);
      await dispatcher.releaseSlots(slots);
    },
    onLost: () => dispatcher.loseAll(),
    onMoved: () => hints.slotsMoved(),
    onError,
  });
  const hints: Hints = new Hints({
    db,
    isOn: config.notify,
    newUuid: () => ids.uuid(),
    isAlone: () => ownership.others.length === 0,
    onHead: (appId, head) => tail.headFound(appId, head),
    onAppChanged: (appId) => void lookAtHead({ db, tail, dispatcher, onError }, appId),
    onCommand: (slot) => {
      if (ownership.owns(slot)) commands.soon();
    },
    onSlotsMoved: () => ownership.turnSoon(),
    onCatalogueChanged: () => catalogue.changedElsewhere(),
    answer: (question) => owner.answer(question),
    onError,
  });
  const dispatcher: Dispatcher = new Dispatcher({
    db,
    box,
    rules,
    ids,
    cache,
    sender,
    transforms,
    ownership,
    operations,
    version: VERSION,
    onAppDeleted: (appId) => {
      tail.forget(appId);
      rendered.forget(appId);
    },
    onError,
  });
  const owner = new LaneOwner({ db, tail, dispatcher, ownership, hints });
  const direct = { db, box, rules, ids, dispatcher, ownership, hints, version: VERSION };
  const commands = new CommandPoll({ db, ownership, handlers: commandHandlers(direct), onError });
  const readiness = new Readiness({ db, ownership, roles });
  const engine = new LocalEngine({
    ...direct,
    sender,
    cache,
    rendered,
    tail,
    readers,
    runs,
    writer,
    ownership,
    hints,
    owner,
    readiness,
    onError,
  });
  const catalogue = new Catalogue({ db, onError });
  const registry = new Registry();
  measure(registry, { writer, dispatcher, cache, rendered, readers, ownership, catalogue, transforms });

  await parts.use(new Maintenance({ db, onError }));
  await parts.use(writer);
  await parts.use(tail);
  if (roles.includes('push')) {
    await parts.use(new Scheduler({ db, appendDue: (appId, due) => writer.appendDue(appId, due), onError }));
  }
  if (roles.includes('api')) await parts.use(catalogue);
  await parts.use(hints); // before ownership begins and until it has ended: it tells of the slots
  await parts.use(operations);
  await parts.use(sender);
  await parts.use(transforms); // its threads start with the first event to transform
  await parts.use(
    new Retention({
      db,
      append: (request) => writer.append(request),
      checkpoint: (appId, endpointId) => {
        const lane = dispatcher.lane(appId, endpointId);
        if (lane?.behindCheckpoint) dispatcher.flusher.checkpointSoon(lane);
      },
      now: Date.now,
      onError,
      options: { eventDays: config.retainEventDays || null, attemptDays: config.retainAttemptDays || null },
    }),
  );
  const drainMs = config.drainSeconds * 1000;
  // Lanes are taken when they can send, and given up when what they sent is written. Without push there are none.
  const startPushing = async (): Promise<void> => {
    if (roles.includes('push')) await dispatcher.start();
    await ownership.start();
    await commands.start();
  };
  const letGo = async (): Promise<void> => {
    const beganMs = performance.now();
    await ownership.leave(drainMs);
    await commands.stop();
    await dispatcher.stop(Math.max(0, drainMs - (performance.now() - beganMs)));
    await ownership.stop();
  };
  let pushingStopped: Promise<void> | null = null;
  const stopPushing = (): Promise<void> => {
    pushingStopped ??= letGo();
    return pushingStopped;
  };
  await parts.use({ start: startPushing, stop: stopPushing });
  const sourceTransforms = new SourceTransforms(transforms);
  const fetches = new Fetches({
    db,
    box,
    fetcher: new HttpFetcher({ rules }),
    version: VERSION,
    appendFetched: (request) => writer.appendFetched(request),
    transforms: sourceTransforms,
    append: (request) => writer.append(request),
    slots: () => ownership.heldSlots(),
    newRunId: () => ids.id('run'),
    newUuid: () => ids.uuid(),
    now: Date.now,
    random: Math.random,
    onError,
  });
  if (roles.includes('push')) await parts.use(fetches);
  await parts.use(
    new LagWatch({
      db,
      lanes: () => dispatcher.lanes(),
      headOf: (appId) => tail.head(appId)?.position ?? null,
      operations,
      now: Date.now,
      onError,
      options: { alertAfterSeconds: config.lagAlertSeconds },
    }),
  );
  await parts.use(
    new ConsumerWatch({
      db,
      append: (request) => writer.append(request),
      now: Date.now,
      onError,
      alertAfterSeconds: config.lagAlertSeconds,
    }),
  );
  await parts.use(new HeadsPoll({ db, tail, onAppDeleted: (appId) => dispatcher.configChanged(appId), onError }));

  const inbound = roles.includes('inbound')
    ? buildInbound({ db, box, ids, rules, writer, transforms: sourceTransforms, onError })
    : null;
  if (inbound !== null) await parts.use(inbound.requests);

  const server = await buildServer({
    db,
    box,
    engine,
    catalogue,
    transforms,
    instance,
    registry,
    ids,
    version: VERSION,
    streamLimits: { perApp: config.streamsPerApp, perKey: config.streamsPerKey },
    api: roles.includes('api'),
    receiver: inbound?.ingest ?? null,
    fetches,
    checkUrl: (url, what) => void parseTarget(url, rules, what),
    publicUrl: config.publicUrl,
    onError,
  });
  await parts.use({
    // Clients and lanes are let go of side by side: another process has the lanes while the last clients are still served.
    stop: async () => {
      const stopping = stopPushing().catch(() => {}); // what failed is told by that part's own stop
      await drainServer(server, { graceMs: options.graceMs ?? GRACE_MS, drainMs });
      await stopping;
    },
  });
  const url = await server.listen({ port: config.port, host: config.host });
  return { url, databaseUrl: database.url, db, readiness };
}

/** Another process has changed the app's configuration, or deleted the app. */
async function lookAtHead(
  parts: { db: Database; tail: Tail; dispatcher: Dispatcher; onError: (error: unknown) => void },
  appId: string,
): Promise<void> {
  try {
    const head = await readHead(parts.db, appId);
    if (head) parts.tail.headFound(appId, head);
    else parts.dispatcher.configChanged(appId);
  } catch (error) {
    parts.onError(error); // the poll finds it
  }
}
