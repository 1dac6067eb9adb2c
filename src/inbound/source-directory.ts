// From the token in a URL to its source, ready to receive. Of a source that is busy what is known is renewed every second, while requests go on;
// of one that has been quiet the next request waits for it. So every process obeys a change within two seconds, and while the database is
// away requests are still told what is theirs: to come again.
import { LRUCache } from 'lru-cache';
import { TidingsError } from '../core/errors.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Queryable } from '../storage/database.ts';
import { loadSourceSecrets } from '../storage/source-secrets.ts';
import { findSourceByToken } from '../storage/sources.ts';
import { loadWebhookSource, type WebhookSource } from './webhook-source.ts';

export interface SourceDirectoryParts {
  db: Queryable;
  box: SecretBox;
  now: () => number;
}

/** A source is looked up again after this long, */
const FRESH_MS = 1000;
/** before anything else is done with it after this long, */
const STALE_MS = 2000;
/** and is not used any more after this long, if that fails. */
const USABLE_MS = 10_000;
const UNKNOWN_MS = 10_000;
const MAX_SOURCES = 10_000;
/** Of tokens that nobody has asked for before: whoever guesses does not take the database from the others. */
const MAX_LOOKUPS = 200;
export const SOURCE_TOKEN_PATTERN = /^[0-9a-hjkmnp-tv-z]{26}$/;

interface Known {
  source: WebhookSource;
  atMs: number;
}

export class SourceDirectory {
  readonly #parts: SourceDirectoryParts;
  readonly #known = new LRUCache<string, Known>({ max: MAX_SOURCES });
  readonly #unknown = new LRUCache<string, true>({ max: MAX_SOURCES, ttl: UNKNOWN_MS });
  readonly #lookups = new Map<string, Promise<WebhookSource | null>>();
  #generation = 0;

  constructor(parts: SourceDirectoryParts) {
    this.#parts = parts;
  }

  /** After a source was changed in this process. */
  forget(sourceId: string): void {
    this.#generation++;
    for (const [token, { source }] of this.#known.entries()) {
      if (source.source.id === sourceId) this.#known.delete(token);
    }
    this.#lookups.clear();
  }

  /** null = there is no such source. @throws TidingsError `overloaded`, and what the database throws */
  find(token: string): WebhookSource | null | Promise<WebhookSource | null> {
    const known = this.#known.get(token);
    const ageMs = known === undefined ? 0 : Math.abs(this.#parts.now() - known.atMs);
    if (known !== undefined && ageMs < STALE_MS) {
      // A failure is told by the request that cannot go on without.
      if (ageMs >= FRESH_MS && !this.#lookups.has(token)) this.#lookUp(token, known).catch(() => {});
      return known.source;
    }
    if (!SOURCE_TOKEN_PATTERN.test(token) || this.#unknown.has(token)) return null;
    const lookup = this.#lookups.get(token) ?? this.#begin(token, known ?? null);
    if (known === undefined || ageMs >= USABLE_MS) return lookup;
    return lookup.catch(() => known.source);
  }

  #begin(token: string, known: Known | null): Promise<WebhookSource | null> {
    if (this.#lookups.size < MAX_LOOKUPS || known !== null) return this.#lookUp(token, known);
    throw new TidingsError('overloaded', 'Too many unknown addresses are asked for. Try again in a second.');
  }

  #lookUp(token: string, known: Known | null): Promise<WebhookSource | null> {
    const lookup = this.#read(token, known).finally(() => {
      if (this.#lookups.get(token) === lookup) this.#lookups.delete(token);
    });
    this.#lookups.set(token, lookup);
    return lookup;
  }

  async #read(token: string, known: Known | null): Promise<WebhookSource | null> {
    const { db, box, now } = this.#parts;
    const generation = this.#generation;
    const atMs = now();
    const source = await findSourceByToken(db, box, token);
    if (source === null || source.kind !== 'webhook') {
      this.#known.delete(token);
      this.#unknown.set(token, true);
      return null;
    }
    const secrets = await loadSourceSecrets(db, box, { appId: source.appId, sourceId: source.id });
    const loaded = loadWebhookSource({ source, secrets, before: known?.source ?? null, nowMs: atMs });
    if (generation === this.#generation) this.#known.set(token, { source: loaded, atMs });
    return loaded;
  }
}
