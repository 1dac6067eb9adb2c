// Who calls, and what they may do. Keys are looked up once and then remembered for ten seconds, so a publish costs no query;
// a key deleted by another process works that much longer, one deleted by this process ends at once.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { TidingsError } from '../core/errors.ts';
import { findKeyByToken, isToken, type Permission } from '../storage/api-keys.ts';
import type { Queryable } from '../storage/database.ts';

/** The caller of a request. */
export interface Principal {
  keyId: string;
  /** The only app the key is for; null = the whole instance. */
  appId: string | null;
  permissions: ReadonlySet<Permission>;
  expiresAtMs: number;
}

export interface Access {
  permission: Permission;
  /** Only keys for the whole instance may do this. */
  instanceOnly?: boolean;
}

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal;
  }
}

export const KEY_CACHE_MS = 10_000;
const KEY_CACHE_ENTRIES = 10_000;

export class Authenticator {
  readonly #db: Queryable;
  readonly #now: () => number;
  // By the whole Authorization header: no parsing on the publisher's path.
  readonly #principals = new LRUCache<string, Principal>({
    max: KEY_CACHE_ENTRIES,
    ttl: KEY_CACHE_MS,
    ttlResolution: 100,
  });
  readonly #lookups = new Map<string, Promise<Principal | null>>();
  #generation = 0;

  constructor(parts: { db: Queryable; now: () => number }) {
    this.#db = parts.db;
    this.#now = parts.now;
  }

  /** Forgets all keys: after a key was deleted, or an app with its keys. */
  invalidate(): void {
    this.#generation++;
    this.#principals.clear();
    this.#lookups.clear();
  }

  /** A hook that lets a request pass only with a key that permits this. */
  guard(access: Access) {
    return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
      const header = request.headers.authorization;
      const known = header === undefined ? undefined : this.#principals.get(header);
      if (known !== undefined) {
        this.#decide(request, known, access, done);
        return;
      }
      this.#lookUp(header).then(
        (principal) => this.#decide(request, principal, access, done),
        (error) => done(error),
      );
    };
  }

  /** The caller that an Authorization header names. @throws TidingsError `unauthorized`, `forbidden` */
  async admit(header: string | undefined, access: Access): Promise<Principal> {
    const principal = (header && this.#principals.get(header)) || (await this.#lookUp(header));
    const refusal = this.#refusal(principal, access);
    if (refusal !== null) throw refusal;
    return principal!;
  }

  #decide(request: FastifyRequest, principal: Principal | null, access: Access, done: (error?: Error) => void): void {
    const refusal = this.#refusal(principal, access);
    if (refusal !== null) {
      done(refusal);
      return;
    }
    request.principal = principal!;
    done();
  }

  #refusal(principal: Principal | null, access: Access): TidingsError | null {
    if (principal === null || principal.expiresAtMs <= this.#now()) return noKey();
    if (!principal.permissions.has(access.permission)) {
      const has = [...principal.permissions].join(', ');
      return new TidingsError(
        'forbidden',
        `This call needs a key with the permission ${access.permission}; this key has ${has}.`,
      );
    }
    if (access.instanceOnly === true && principal.appId !== null) {
      return new TidingsError('forbidden', 'This call needs a key for the whole instance; this key is for one app.');
    }
    return null;
  }

  async #lookUp(header: string | undefined): Promise<Principal | null> {
    const token = header === undefined ? undefined : /^bearer +(\S+) *$/i.exec(header)?.[1];
    if (header === undefined || token === undefined || !isToken(token)) return null;
    // All requests that come while a key is looked up wait for the one query.
    let lookup = this.#lookups.get(header);
    if (lookup === undefined) {
      lookup = this.#find(header, token).finally(() => {
        if (this.#lookups.get(header) === lookup) this.#lookups.delete(header);
      });
      this.#lookups.set(header, lookup);
    }
    return await lookup;
  }

  async #find(header: string, token: string): Promise<Principal | null> {
    const generation = this.#generation;
    const key = await findKeyByToken(this.#db, token);
    if (key === null) return null;
    const principal: Principal = {
      keyId: key.id,
      appId: key.appId,
      permissions: new Set(key.permissions),
      expiresAtMs: key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
    };
    if (generation === this.#generation) this.#principals.set(header, principal);
    return principal;
  }
}

function noKey(): TidingsError {
  return new TidingsError(
    'unauthorized',
    'Send a valid API key as `Authorization: Bearer tdg_…`. `tidings keys create` makes one.',
  );
}
