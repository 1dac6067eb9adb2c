// What is new in an answer: the one place that decides what is told. Pure: the items that came, those that are known and the state in; the
// changes, oldest first, and the next state out.

import { parseTime } from '../../core/time.ts';
import { durationMs } from './duration.ts';
import { changesOf, type FetchConfig } from './fetch-config.ts';
import { FetchFailure } from './fetch-failure.ts';
import type { FetchState } from './fetch-state.ts';
import type { FetchedItem } from './fetched-item.ts';

/** What is remembered of an item. */
export interface KnownItem {
  version: string;
  /** In how many whole answers in a row it was missing. */
  missed: number;
}

export interface Change {
  /** `missed` and `found` are only remembered: an item may be gone, and is there after all. */
  kind: 'created' | 'updated' | 'deleted' | 'missed' | 'found';
  /** Null: it is not remembered. */
  key: string | null;
  version: string;
  /** Null for what is gone. */
  item: FetchedItem | null;
  /** Whether there is an event of it, or it is only remembered. */
  isTold: boolean;
}

export interface AnswerRead {
  config: FetchConfig;
  state: FetchState;
  /** In the order they came. */
  items: readonly FetchedItem[];
  /** Those of the keys that are known; for a snapshot all that are. */
  known: ReadonlyMap<string, KnownItem>;
  pages: number;
  /** There were more pages than may be read. */
  isCapped: boolean;
  isFeed: boolean;
  /** What the answer has as cursor, for the next run. */
  cursor: string | null;
  /** Of the API: an item from the future must not hide what comes before it. Milliseconds since 1970. */
  nowMs: number;
  /** Whoever runs it has looked: so few items are right. */
  allowDeletions: boolean;
}

const DEFAULT_OVERLAP = '5m';
const DEFAULT_MIN_SHARE = 0.5;
/** A collection smaller than this may lose any share of its items. */
const GUARDED_ITEMS = 10;
/** On several pages an item may be overlooked while others move; on one page what is missing is gone. */
const MISSED_BEFORE_GONE = 2;

/** @throws FetchFailure too_few_items, misconfigured */
export function findChanges(answer: AnswerRead): { changes: Change[]; state: FetchState } {
  const { config, state } = answer;
  refuseCapped(answer);
  requireCursor(answer);
  const items = relevant(latest(oldestFirst(answer)), answer);
  const told = toldAtStart(items, answer);
  const changes: Change[] = [];
  items.forEach((item, n) => {
    const change = changeOf(item, answer);
    if (change !== null) changes.push({ ...change, isTold: change.kind !== 'found' && told(n, item) });
  });
  if (changesOf(config).by === 'snapshot') changes.push(...missing(answer));
  return {
    changes,
    state: {
      ...state,
      // One that has more than a run may read is at its start until it has been read through.
      isStarted: state.isStarted || !answer.isCapped || !continues(config),
      cursor: answer.cursor ?? state.cursor,
      told: 0,
      highestMs: highestMs(answer),
      itemCount: answer.isCapped ? null : answer.items.length,
      round: state.round + (changes.some(({ isTold }) => isTold) ? 1 : 0),
    },
  };
}

/** Whether a run goes on where the one before it ended. */
function continues(config: FetchConfig): boolean {
  const { by } = changesOf(config);
  return by === 'time' || by === 'cursor';
}

function highestMs({ config, state, items, nowMs }: AnswerRead): number | null {
  if (changesOf(config).by !== 'time') return null;
  const highest = items.reduce((most, { timeMs }) => Math.max(most, timeMs ?? 0), state.highestMs ?? 0);
  if (highest > 0) return Math.min(highest, nowMs);
  // What comes after a first run that found nothing is new.
  return state.isStarted || (config.start ?? 'skip') !== 'skip' ? null : nowMs;
}

/** Without it the next run would tell the same items once more. */
function requireCursor({ config, cursor, items, isCapped, pages }: AnswerRead): void {
  const changes = changesOf(config);
  if (changes.by !== 'cursor' || cursor !== null) return;
  if (isCapped) throw tooManyPages(pages);
  if (items.every(({ key }) => key !== null)) return;
  throw new FetchFailure(
    'not_understood',
    `The answer has items and no cursor at ${changes.path ?? `the header ${changes.header}`}. Name where it is, or give the items a key.`,
  );
}

/** From when on items matter to a source that finds changes by time; null = all do. Milliseconds since 1970. */
export function sinceMs(config: FetchConfig, state: FetchState, nowMs: number): number | null {
  if (changesOf(config).by !== 'time') return null;
  if (state.highestMs !== null) return state.highestMs - overlapMs(config);
  const start = config.start ?? 'skip';
  if (start === 'skip') return state.isStarted ? null : nowMs - overlapMs(config);
  return typeof start === 'object' && 'since' in start ? parseTime(start.since) : null;
}

/** How far back it looks again. */
function overlapMs(config: FetchConfig): number {
  const changes = changesOf(config);
  return changes.by === 'time' ? durationMs(changes.overlap ?? DEFAULT_OVERLAP) : 0;
}

function refuseCapped({ config, state, isCapped, pages, items }: AnswerRead): void {
  if (!isCapped) return;
  const { by } = changesOf(config);
  const first = items[0]?.timeMs ?? 0;
  const last = items[items.length - 1]?.timeMs ?? 0;
  // Oldest first a run by time goes on from its last item, unless that is where it began.
  const isStuck = first > last || (state.highestMs !== null && last <= state.highestMs);
  if (by === 'snapshot' || (by === 'time' && isStuck)) throw tooManyPages(pages);
}

function tooManyPages(pages: number): FetchFailure {
  return new FetchFailure(
    'misconfigured',
    `After ${pages} pages there are more, and nothing can be told without the rest. Raise pages.max, or ask for less at a time.`,
  );
}

function oldestFirst({ items, config, isFeed }: AnswerRead): FetchedItem[] {
  if (items.every(({ timeMs }) => timeMs !== null)) {
    // Of the same time: in the order in which the API has the others.
    const isNewestFirst = (items[0]?.timeMs ?? 0) > (items[items.length - 1]?.timeMs ?? 0);
    const ordered = isNewestFirst ? [...items].reverse() : [...items];
    return ordered.sort((a, b) => (a.timeMs as number) - (b.timeMs as number));
  }
  return (config.order ?? (isFeed ? 'newest' : 'oldest')) === 'newest' ? [...items].reverse() : [...items];
}

/** Each key once: an item that moved from page to page while they were read is there twice, and the later one is newer. */
function latest(items: FetchedItem[]): FetchedItem[] {
  const byKey = new Map<string, FetchedItem>();
  for (const item of items) if (item.key !== null) byKey.set(item.key, item);
  return items.filter((item) => item.key === null || byKey.get(item.key) === item);
}

/** Without what was told before a run was broken off, and what is older than a run by time looks back. */
function relevant(items: FetchedItem[], { config, state }: AnswerRead): FetchedItem[] {
  const { by } = changesOf(config);
  if (by === 'cursor') return items.slice(state.told);
  if (by !== 'time' || state.highestMs === null) return items;
  const fromMs = state.highestMs - overlapMs(config);
  return items.filter(({ timeMs }) => timeMs === null || timeMs >= fromMs);
}

/** Which items of a first run are told. */
function toldAtStart(items: FetchedItem[], { config, state }: AnswerRead): (n: number, item: FetchedItem) => boolean {
  const start = config.start ?? 'skip';
  if (state.isStarted || start === 'all') return () => true;
  if (start === 'skip') return () => false;
  if ('last' in start) return (n) => n >= items.length - start.last;
  const sinceMs = parseTime(start.since) ?? 0;
  return (_, { timeMs }) => timeMs !== null && timeMs >= sinceMs;
}

function changeOf(item: FetchedItem, { config, known }: AnswerRead): Omit<Change, 'isTold'> | null {
  const { key, version } = item;
  const earlier = key === null ? undefined : known.get(key);
  if (earlier === undefined) return { kind: 'created', key, version, item };
  const { by } = changesOf(config);
  if (by !== 'id' && earlier.version !== version) return { kind: 'updated', key, version, item };
  return earlier.missed > 0 ? { kind: 'found', key, version, item } : null;
}

function missing({ config, state, items, known, pages, allowDeletions }: AnswerRead): Change[] {
  const there = new Set(items.map(({ key }) => key));
  const gone = [...known].filter(([key]) => !there.has(key));
  const changes = changesOf(config);
  const minShare = (changes.by === 'snapshot' ? changes.minShare : undefined) ?? DEFAULT_MIN_SHARE;
  if (known.size >= GUARDED_ITEMS && there.size < known.size * minShare && !allowDeletions) {
    throw new FetchFailure(
      'too_few_items',
      `There are ${there.size} items where ${known.size} were known: less than the share of ${minShare}. Nothing was told. ` +
        'If that is right, run the source once with allowDeletions.',
    );
  }
  const isTold = state.isStarted || (config.start ?? 'skip') !== 'skip';
  return gone.map(([key, { version, missed }]) => {
    const isGone = pages <= 1 || missed + 1 >= MISSED_BEFORE_GONE;
    return { kind: isGone ? 'deleted' : 'missed', key, version, item: null, isTold: isGone && isTold };
  });
}
