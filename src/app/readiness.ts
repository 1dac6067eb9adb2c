// Whether a process can take requests, for load balancers: /readyz.
import { setTimeout as pause } from 'node:timers/promises';
import type { Role } from '../core/role.ts';
import type { Ownership } from '../push/ownership.ts';
import type { Database } from '../storage/database.ts';

/** A database that does not answer within this time cannot be reached. */
const PING_LIMIT_MS = 2000;

export interface ReadinessParts {
  db: Pick<Database, 'ping'>;
  ownership: Pick<Ownership, 'maySend' | 'slotCount'>;
  roles: readonly Role[];
}

export class Readiness {
  readonly #parts: ReadinessParts;
  #stopping = false;

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  /** From here on the process is not ready: it takes its leave. */
  stop(): void {
    this.#stopping = true;
  }

  /** `ok` unless a check fails. Slots are told and decide nothing: a process without any still answers requests. */
  async check(): Promise<{ ok: boolean; checks: Record<string, string> }> {
    const { ownership, roles } = this.#parts;
    const checks: Record<string, string> = { database: await this.#database() };
    checks.lease = ownership.maySend() ? 'ok' : 'was not renewed in time';
    if (this.#stopping) checks.process = 'is stopping';
    const ok = Object.values(checks).every((check) => check === 'ok');
    if (roles.includes('push')) checks.slots = `${ownership.slotCount} held`;
    return { ok, checks };
  }

  async #database(): Promise<string> {
    const limit = new AbortController();
    const late = pause(PING_LIMIT_MS, 'does not answer', { signal: limit.signal }).catch(() => '');
    const answer = this.#parts.db.ping().then(
      () => 'ok',
      () => 'cannot be reached',
    );
    return Promise.race([answer, late]).finally(() => limit.abort());
  }
}
