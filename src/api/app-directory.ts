// From what a path says of an app (its id or the caller's uid) to its id, and whether the caller may know of it. Answers are
// remembered for a second; this process forgets them when it changes an app itself.
import { LRUCache } from 'lru-cache';
import { UID_PATTERN } from '../core/endpoint-config.ts';
import { parseId } from '../core/id.ts';
import { findApp, findAppByUid, noApp } from '../storage/apps.ts';
import type { Queryable } from '../storage/database.ts';
import type { Principal } from './authentication.ts';

const APP_CACHE_MS = 1000;
const APP_CACHE_ENTRIES = 10_000;

export class AppDirectory {
  readonly #db: Queryable;
  readonly #ids = new LRUCache<string, string>({ max: APP_CACHE_ENTRIES, ttl: APP_CACHE_MS, ttlResolution: 50 });
  #generation = 0;

  constructor(parts: { db: Queryable }) {
    this.#db = parts.db;
  }

  /** After an app was changed or deleted. */
  invalidate(): void {
    this.#generation++;
    this.#ids.clear();
  }

  /**
   * The id of a live app. A foreign app and an unknown one are answered alike (invariant I4).
   * @throws TidingsError `not_found`
   */
  async resolve(ref: string, principal: Principal): Promise<string> {
    const appId = this.#ids.get(ref) ?? (await this.#find(ref, principal));
    if (appId === null || !mayKnow(principal, appId)) throw noApp(ref);
    return appId;
  }

  /** Like `resolve`, but takes an id as it is, without asking whether the app lives: for calls that find out anyway. */
  claimed(ref: string, principal: Principal): string | Promise<string> {
    if (parseId('app', ref) === null) return this.resolve(ref, principal);
    if (!mayKnow(principal, ref)) throw noApp(ref);
    return ref;
  }

  async #find(ref: string, principal: Principal): Promise<string | null> {
    const generation = this.#generation;
    const isId = parseId('app', ref) !== null;
    if (isId ? !mayKnow(principal, ref) : !UID_PATTERN.test(ref)) return null;
    const app = isId ? await findApp(this.#db, ref) : await findAppByUid(this.#db, ref);
    if (app !== null && generation === this.#generation) this.#ids.set(ref, app.id);
    return app?.id ?? null;
  }
}

function mayKnow(principal: Principal, appId: string): boolean {
  return principal.appId === null || principal.appId === appId;
}
