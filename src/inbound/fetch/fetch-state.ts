// What a source remembers from run to run. It is advanced in the transaction that appends the events it gave (design rule 7).
import type { FetchChanges } from './fetch-config.ts';

export interface FetchState {
  /** The way of finding changes that it belongs to; under another it begins anew. */
  by: FetchChanges['by'];
  /** Whether a first run has come to its end. */
  isStarted: boolean;
  /** Of the last answer, if the collection was on one page (RFC 9110, section 8.8); good for this URL and for a configuration that reads the answer alike. */
  validators: { url: string; readBy: string; etag: string | null; lastModified: string | null } | null;
  cursor: string | null;
  /** Items of the answer to this cursor that have been told: a run was broken off between two appends. */
  told: number;
  /** The greatest time seen, by the clock of the API. */
  highestMs: number | null;
  /** Items in the last whole answer; null = not known. */
  itemCount: number | null;
  /** Runs that have told of something: makes the ids of what is told in one run different from those of another. */
  round: number;
}

export function newState(by: FetchChanges['by']): FetchState {
  return {
    by,
    isStarted: false,
    validators: null,
    cursor: null,
    told: 0,
    highestMs: null,
    itemCount: null,
    round: 0,
  };
}

/** As stored, or a new one if that belongs to another way of finding changes. */
export function readState(stored: unknown, by: FetchChanges['by']): FetchState {
  const state = stored as Partial<FetchState> | null;
  return state?.by === by ? { ...newState(by), ...state } : newState(by);
}
