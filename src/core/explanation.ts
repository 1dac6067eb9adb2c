// Why an event did or did not reach an endpoint (design rule 22). The facts are read from storage; what they mean is decided here.
import type { Mismatch } from './filter.ts';
import type { OutcomeKind } from './outcome.ts';

/**
 * filtered = its transformation returned null for it.
 * skipped = the endpoint was not to have it: it stands before the endpoint's start, or before the head from which it was resumed.
 * pulled = it was fetched
 * while the endpoint was in mode pull. expired = retention dropped it before it was delivered. unknown = the facts that would tell are no longer kept.
 */
export const DELIVERY_STATES = [
  'pending',
  'retrying',
  'delivered',
  'dead',
  'filtered',
  'unmatched',
  'skipped',
  'pulled',
  'expired',
  'unknown',
] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface DeliveryFacts {
  position: number;
  /** By the filter that was valid at the event's position. */
  match: { matches: boolean; why: Mismatch[]; fromPosition: number };
  /** Everything up to here is settled for the endpoint. */
  settledThrough: number;
  /** The endpoint was resumed from the head at this position; 0 = never. */
  skipThrough: number;
  /** Whoever fetched the events in mode pull has moved the cursor past it. */
  isPulled: boolean;
  /** The first position after the endpoint's creation. */
  createdPosition: number;
  retry: { attempts: number; dueMs: number; reason: string } | null;
  dead: { attempts: number; reason: string } | null;
  /** Retention dropped the position before the endpoint came to it. */
  isExpired: boolean;
  attempts: {
    made: number;
    deliveredMs: number | null;
    filteredMs: number | null;
    last: { outcome: OutcomeKind; error: string | null } | null;
  };
  /** Whether all attempts that were made since the event was appended are still kept. */
  attemptsKept: boolean;
  /** In words why the endpoint does not send now; null when it does. */
  standstill: string | null;
}

/** Of a value that did not meet a filter. */
const MAX_WORDS_CHARS = 80;

const EXPIRED = { state: 'expired', words: 'Retention dropped the event before it was delivered.' } as const;

/** The first that holds: what is recorded of the event itself comes before what follows from the cursor. */
export function explainDelivery(facts: DeliveryFacts): { state: DeliveryState; words: string } {
  const { retry, dead, attempts, match, position, settledThrough, skipThrough } = facts;
  if (dead?.reason === 'expired') return EXPIRED;
  if (dead !== null) return { state: 'dead', words: deadWords(dead, attempts.last?.error ?? null) };
  if (retry !== null) {
    return { state: 'retrying', words: withStandstill(retryWords(retry), facts.standstill) };
  }
  if (attempts.deliveredMs !== null) {
    return {
      state: 'delivered',
      words: `It was delivered at ${time(attempts.deliveredMs)}; ${attemptsMade(attempts.made)}.`,
    };
  }
  if (attempts.filteredMs !== null) {
    const why = attempts.last?.outcome === 'filtered' ? attempts.last.error : 'Its transformation returned null.';
    return { state: 'filtered', words: `Nothing was sent at ${time(attempts.filteredMs)}. ${why}` };
  }
  if (!match.matches) {
    const { fromPosition } = match;
    return {
      state: 'unmatched',
      words: `The filter that the endpoint had at position ${position} (valid from position ${fromPosition} on) does not take it: ${match.why.map(mismatchWords).join('; ')}.`,
    };
  }
  if (facts.isExpired) return EXPIRED;
  if (position <= skipThrough) {
    const words = `The endpoint was resumed from the head at position ${skipThrough}: what stood before it was skipped. A replay would send it.`;
    return { state: 'skipped', words };
  }
  if (position > settledThrough) {
    const words = `Its turn has not come: the endpoint's cursor is at position ${settledThrough}, the event at ${position}.`;
    return { state: 'pending', words: withStandstill(words, facts.standstill) };
  }
  return explainAbsence(facts);
}

/** It matched, the cursor has passed it, and nothing is recorded of a delivery. */
function explainAbsence(facts: DeliveryFacts): { state: DeliveryState; words: string } {
  if (!facts.attemptsKept) {
    return { state: 'unknown', words: 'It is settled, but the attempts of that time are no longer kept.' };
  }
  if (facts.isPulled) {
    const words = `It was fetched in mode pull, and the cursor committed past it; ${attemptsMade(facts.attempts.made)}.`;
    return { state: 'pulled', words };
  }
  if (facts.attempts.made === 0 && facts.position < facts.createdPosition) {
    const words = `It stands before the endpoint's start: the endpoint was created when the log ended at position ${facts.createdPosition - 1}. A replay would send it.`;
    return { state: 'skipped', words };
  }
  return {
    state: 'unknown',
    words: `It is settled; ${attemptsMade(facts.attempts.made)}, and what became of it is no longer recorded.`,
  };
}

function deadWords({ attempts, reason }: NonNullable<DeliveryFacts['dead']>, error: string | null): string {
  if (reason === 'skipped')
    return 'It held up the others, and was skipped when the endpoint was resumed from the head.';
  const why = error === null ? '' : ` ${error}${/[.!?]$/.test(error) ? '' : '.'}`;
  return `It was given up after ${attemptCount(attempts)}; the last failed with ${reason}.${why} Resend it, or replay it.`;
}

function retryWords({ attempts, reason, dueMs }: NonNullable<DeliveryFacts['retry']>): string {
  if (reason === 'open') return 'An attempt of it is under way.';
  const count = attempts === 1 ? 'once' : `${attempts} times`;
  return `It has failed ${count}, last with ${reason}, and is due again at ${time(dueMs)}.`;
}

function withStandstill(words: string, standstill: string | null): string {
  return standstill === null ? words : `${words} ${standstill}`;
}

function mismatchWords({ path, expected, actual }: Mismatch): string {
  const name = path === '' ? '' : path.slice(1).replaceAll('/', '.');
  if (!Array.isArray(expected)) {
    const wanted = JSON.stringify(expected);
    if (name === '') return `it does not meet ${wanted}`;
    return actual === undefined
      ? `it has no ${name}, asked for is ${wanted}`
      : `its ${name} is ${shortly(actual)}, asked for is ${wanted}`;
  }
  const is = Array.isArray(actual) ? actual.join(', ') : String(actual);
  return `its ${name} ${is === '' ? 'are none' : `${Array.isArray(actual) ? 'are' : 'is'} ${is}`}, asked for is ${expected.join(' or ')}`;
}

/** As JSON; of what is long, its beginning: the whole is in `why`. */
function shortly(actual: unknown): string {
  const text = typeof actual === 'string' && actual.length > MAX_WORDS_CHARS ? actual : JSON.stringify(actual);
  return text.length <= MAX_WORDS_CHARS ? text : `${text.slice(0, MAX_WORDS_CHARS).toWellFormed()}…`;
}

function attemptCount(count: number): string {
  return count === 1 ? 'one attempt' : `${count === 0 ? 'no' : count} attempts`;
}

function attemptsMade(count: number): string {
  return `${attemptCount(count)} ${count === 1 ? 'was' : 'were'} made`;
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
