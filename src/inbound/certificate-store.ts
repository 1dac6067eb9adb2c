// The certificates that providers name in their requests, fetched when one is first asked for. A request is nobody's until it is verified: so
// few are fetched at a time, none twice at once, and one that failed is left alone for a while.
import { LRUCache } from 'lru-cache';
import { TidingsError } from '../core/errors.ts';

export interface CertificateStoreParts {
  /** Requests an address with GET; resolves with the body of a 2xx, else rejects. */
  visit: (url: string) => Promise<string>;
  now: () => number;
}

const MAX_CERTIFICATES = 100;
const MAX_FAILURES = 1000;
const KEPT_MS = 3_600_000;
const FAILED_MS = 30_000;
const MAX_FETCHES = 4;

export class CertificateStore {
  readonly #parts: CertificateStoreParts;
  readonly #texts = new LRUCache<string, { text: string; untilMs: number }>({ max: MAX_CERTIFICATES });
  readonly #failures = new LRUCache<string, { error: TidingsError; untilMs: number }>({ max: MAX_FAILURES });
  readonly #fetches = new Map<string, Promise<void>>();

  constructor(parts: CertificateStoreParts) {
    this.#parts = parts;
  }

  /** The text at an URL that was fetched. */
  get(url: string): string | undefined {
    const known = this.#texts.get(url);
    return known !== undefined && this.#parts.now() < known.untilMs ? known.text : undefined;
  }

  /** Resolves when `get` knows the certificate. @throws TidingsError `unavailable` */
  async fetch(url: string): Promise<void> {
    const failure = this.#failures.get(url);
    if (failure !== undefined && this.#parts.now() < failure.untilMs) throw failure.error;
    const fetching = this.#fetches.get(url);
    if (fetching !== undefined) return fetching;
    if (this.#fetches.size >= MAX_FETCHES) {
      throw new TidingsError(
        'unavailable',
        'Other certificates are being fetched. The provider is asked to come again.',
      );
    }
    const fetch = this.#fetch(url).finally(() => this.#fetches.delete(url));
    this.#fetches.set(url, fetch);
    return fetch;
  }

  async #fetch(url: string): Promise<void> {
    const { visit, now } = this.#parts;
    try {
      this.#texts.set(url, { text: await visit(url), untilMs: now() + KEPT_MS });
    } catch (cause) {
      const detail = `The certificate at ${url} could not be fetched: ${(cause as Error).message}`;
      const error = new TidingsError('unavailable', detail, { cause });
      this.#failures.set(url, { error, untilMs: now() + FAILED_MS });
      throw error;
    }
  }
}
