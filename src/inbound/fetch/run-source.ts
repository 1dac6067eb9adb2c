// One run of a source: ask, compare with what is remembered, and append what has changed together with what is remembered from now on. Nothing
// of it is visible before: a run that is broken off is made again, and gives the same events.
import { TidingsError } from '../../core/errors.ts';
import type { NewEvent } from '../../core/event.ts';
import type { Transformation } from '../../core/transformation.ts';
import { SOURCE_KEY_HASH, sourceKeyName } from '../../log/claim.ts';
import type { Writer } from '../../log/writer.ts';
import type { Database } from '../../storage/database.ts';
import type { StateAdvance, StoredFetch } from '../../storage/fetch-state.ts';
import { findItems, keepSeen } from '../../storage/fetched-items.ts';
import type { KeyClaim } from '../../storage/idempotency-keys.ts';
import type { SourceTransforms } from '../source-transforms.ts';
import { changeEvent } from './change-event.ts';
import { changesOf, type FetchConfig } from './fetch-config.ts';
import { FetchFailure } from './fetch-failure.ts';
import { type FetchState, readState } from './fetch-state.ts';
import { type Change, findChanges } from './find-changes.ts';
import { type AnswerParts, type RunTally, readAnswer } from './read-answer.ts';

export interface RunParts extends AnswerParts {
  db: Database;
  appendFetched: Writer['appendFetched'];
  transforms: Pick<SourceTransforms, 'apply'>;
}

/** A source with what it is to do: its configuration with secrets. */
export interface RunningSource {
  stored: StoredFetch;
  config: FetchConfig;
  channels: readonly string[];
  /** What it does not take is remembered and not told. */
  takes: (event: NewEvent) => boolean;
  transform: Transformation;
  /** By what its webhooks are known too, for a source that has both; null = it has none. */
  shared: { keyOf: (key: string) => string; keptSeconds: number } | null;
}

interface Told {
  change: Change;
  event: NewEvent | null;
}

export interface Look {
  /** In their order, also those that are only remembered. */
  changes: Told[];
  /** From now on; null = as it was. */
  state: FetchState | null;
  before: FetchState;
  seenKeys: string[];
  limitedMs: number | null;
}

/** Changes in one append. */
const MAX_CHANGES = 500;
const MAX_APPEND_BYTES = 2 * 1024 * 1024;
/** Changes that are transformed at once, and how long they wait for room. */
const TRANSFORMED_AT_ONCE = 16;
const MAX_TRANSFORM_WAIT_MS = 5000;
/** What has not been in an answer for so long is forgotten; of a snapshot nothing is, it is told as deleted. */
const REMEMBERED_DAYS = 90;

/** What there is to tell, without telling it. @throws FetchFailure */
export async function lookForChanges(parts: RunParts, source: RunningSource, tally: RunTally): Promise<Look> {
  const { stored, config } = source;
  const { by } = changesOf(config);
  const before = readState(stored.state, by);
  const answer = await readAnswer(parts, { config, state: before }, tally);
  const nothing = { changes: [], state: null, before, seenKeys: [], limitedMs: answer.limitedMs };
  if (answer.isUnchanged) return nothing;
  const keys = answer.items.flatMap(({ key }) => key ?? []);
  const wanted = by === 'snapshot' ? null : keys;
  const known = forgets(source) ? new Map() : await findItems(parts.db, stored, wanted);
  const { changes, state } = findChanges({
    ...answer,
    config,
    state: before,
    known,
    pages: tally.pages,
    allowDeletions: stored.allowDeletions,
  });
  let place = before.told;
  const told = changes.map((change) => {
    if (!change.isTold) return { change, event: null };
    const { stored, channels } = source;
    const event = changeEvent(change, {
      sourceId: stored.sourceId,
      config,
      channels,
      state: before,
      place: place++,
      nowMs: parts.now(),
    });
    return { change, event: source.takes(event) ? event : null };
  });
  return {
    ...nothing,
    changes: source.transform.code === null ? told : await transformAll(parts, source, told),
    state: { ...state, validators: answer.validators },
    seenKeys: keys,
  };
}

/** With what their code makes of the events: null for one that is left out. @throws FetchFailure transform_failed, transform_unavailable */
async function transformAll(
  { transforms }: RunParts,
  { stored: { appId }, transform }: RunningSource,
  changes: readonly Told[],
): Promise<Told[]> {
  const one = async ({ change, event }: Told): Promise<Told> => {
    if (event === null) return { change, event };
    const made = await transforms.apply({ appId, transform, event, maxWaitMs: MAX_TRANSFORM_WAIT_MS });
    if (made.kind === 'event') return { change, event: made.event };
    if (made.kind === 'filtered') return { change, event: null };
    const which = change.key === null ? '' : ` It was given the item ${change.key}.`;
    throw new FetchFailure(`transform_${made.kind}`, made.detail + which);
  };
  const all: Told[] = [];
  for (let at = 0; at < changes.length; at += TRANSFORMED_AT_ONCE) {
    all.push(...(await Promise.all(changes.slice(at, at + TRANSFORMED_AT_ONCE).map(one))));
  }
  return all;
}

/** Another way of finding changes begins anew. */
function forgets({ stored, config }: RunningSource): boolean {
  const { by } = (stored.state ?? {}) as Partial<FetchState>;
  return by !== undefined && by !== changesOf(config).by;
}

/** Tells what was found; resolves with the events that were appended. @throws FetchFailure overtaken, not_stored */
export async function tellChanges(
  parts: RunParts,
  source: RunningSource,
  { changes, state, before, seenKeys }: Look,
): Promise<Set<string>> {
  const appended = new Set<string>();
  if (state === null) return appended;
  const { stored } = source;
  const forgetAll = forgets(source);
  const lots = inLots(changes);
  let version = stored.stateVersion;
  let told = before.told;
  let tellsAny = false;
  for (const [n, lot] of lots.entries()) {
    told += lot.filter(({ change }) => change.isTold && change.key === null).length;
    tellsAny ||= lot.some(({ event }) => event !== null);
    // Until all is told the run may have to be made again: from where it began, but with other ids for what it then finds.
    const between = { ...before, validators: null, told, round: before.round + (tellsAny ? 1 : 0) };
    const next = n === lots.length - 1 ? state : between;
    if (lots.length === 1 && lot.length === 0 && !forgetAll && isSame(next, stored.state)) break;
    const advance = {
      ...advanceOf(source, lot, { forgetAll: forgetAll && n === 0, fromVersion: version++ }),
      state: next,
    };
    for (const { id } of await append(parts, source, lot, advance)) appended.add(id);
  }
  if (changesOf(source.config).by !== 'snapshot') {
    await keepSeen(parts.db, stored, { keys: seenKeys, days: REMEMBERED_DAYS });
  }
  return appended;
}

/** The API knows the cursor no more: the next run begins without it, and tells all there is, for nothing may be lost. */
export async function dropCursor(parts: RunParts, source: RunningSource): Promise<void> {
  const { stored, config } = source;
  const state = { ...readState(stored.state, changesOf(config).by), cursor: null, told: 0 };
  const advance = { ...advanceOf(source, [], { forgetAll: false, fromVersion: stored.stateVersion }), state };
  await append(parts, source, [], advance);
}

/** At least one, which may be empty: the state moves on although nothing is told. */
function inLots(changes: readonly Told[]): Told[][] {
  const lots: Told[][] = [[]];
  let bytes = 0;
  for (const told of changes) {
    const size = told.event?.data.length ?? 0;
    const lot = lots[lots.length - 1];
    if (lot.length >= MAX_CHANGES || (lot.length > 0 && bytes + size > MAX_APPEND_BYTES)) {
      lots.push([told]);
      bytes = size;
    } else {
      lot.push(told);
      bytes += size;
    }
  }
  return lots;
}

function isSame(next: FetchState, stored: unknown): boolean {
  const sorted = (value: object): string => JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(next) === sorted((stored ?? {}) as object);
}

function advanceOf(
  { stored }: RunningSource,
  lot: readonly Told[],
  { forgetAll, fromVersion }: { forgetAll: boolean; fromVersion: number },
): Omit<StateAdvance, 'state'> {
  const { appId, sourceId, revision } = stored;
  const keyed = lot.flatMap(({ change: { key, kind, version } }) => (key === null ? [] : [{ key, kind, version }]));
  return {
    appId,
    sourceId,
    revision,
    fromVersion,
    items: {
      forgetAll,
      remember: keyed
        .filter(({ kind }) => kind !== 'deleted')
        .map(({ key, kind, version }) => ({ key, version, missed: kind === 'missed' })),
      forget: keyed.filter(({ kind }) => kind === 'deleted').map(({ key }) => key),
    },
  };
}

async function append(
  parts: RunParts,
  { stored, shared }: RunningSource,
  lot: readonly Told[],
  advance: StateAdvance,
): Promise<{ id: string }[]> {
  const { appId, sourceId } = stored;
  const events: NewEvent[] = [];
  const keys: (KeyClaim | null)[] = [];
  for (const { change, event } of lot) {
    if (event === null) continue;
    events.push(event);
    if (shared === null || change.key === null || change.kind !== 'created') keys.push(null);
    else {
      const key = sourceKeyName(sourceId, shared.keyOf(change.key));
      keys.push({ appId, key, bodyHash: SOURCE_KEY_HASH, resultIds: [event.id], keptSeconds: shared.keptSeconds });
    }
  }
  try {
    return await parts.appendFetched({ appId, events, keys, advance });
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    throw new FetchFailure(error.code === 'conflict' ? 'overtaken' : 'not_stored', error.detail, { cause: error });
  }
}
