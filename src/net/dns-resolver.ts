// Names to addresses, without the operating system's resolver: getaddrinfo runs in the four threads that file access needs too, and
// one slow name server would hold them all. c-ares asks over sockets of its own, for A and AAAA at once.
// What it leaves out is /etc/hosts and search domains. Names that live only there (Docker links, Kubernetes services) lead to private
// addresses, so getaddrinfo is asked second, and only where private addresses are let in at all.
import dns from 'node:dns';
import { LRUCache } from 'lru-cache';
import { isLoopbackName, LOOPBACK_ADDRESSES } from './address-guard.ts';
import { LookupSlots } from './lookup-slots.ts';
import { errorCode, SendFailure } from './send-failure.ts';

export interface Resolver {
  /** All addresses of a name, at least one. @throws SendFailure dns_failed */
  resolve(host: string): Promise<readonly string[]>;
}

export interface DnsResolverParts {
  /** Whether names that only the operating system knows are looked up: costs a thread each, at most two at once. */
  useSystem: boolean;
  /** Name servers as `address:port`; default: the system's. */
  servers?: string[];
  /** Time for one name. More of it waits longer for slow servers. */
  budgetMs?: number;
  /** Monotonic milliseconds, for the age of what is remembered. */
  now?: () => number;
}

const BUDGET_MS = 5000;
const QUERY_TIMEOUT_MS = 1500;
const QUERY_TRIES = 3;
const MIN_TTL_MS = 1000;
const MAX_TTL_MS = 60_000;
const NOT_FOUND_TTL_MS = 5000;
/** A server that does not answer may be back at once; this much keeps a burst of attempts from asking one by one. */
const TROUBLE_TTL_MS = 1000;
const SYSTEM_TTL_MS = 10_000;
const MAX_NAMES = 10_000;
const MAX_LOOKUPS = 256;
const MAX_SYSTEM_LOOKUPS = 2;

interface Answer {
  addresses: readonly string[];
  ttlMs: number;
}

interface Remembered {
  answer: readonly string[] | SendFailure;
  untilMs: number;
}

export class DnsResolver implements Resolver {
  readonly #dns: dns.promises.Resolver;
  readonly #useSystem: boolean;
  readonly #budgetMs: number;
  readonly #now: () => number;
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_NAMES });
  readonly #open = new Map<string, Promise<readonly string[]>>();
  readonly #slots = new LookupSlots(MAX_LOOKUPS);
  readonly #systemSlots = new LookupSlots(MAX_SYSTEM_LOOKUPS);

  constructor(parts: DnsResolverParts) {
    this.#dns = new dns.promises.Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
    if (parts.servers !== undefined) this.#dns.setServers(parts.servers);
    this.#useSystem = parts.useSystem;
    this.#budgetMs = parts.budgetMs ?? BUDGET_MS;
    this.#now = parts.now ?? (() => performance.now());
  }

  async resolve(host: string): Promise<readonly string[]> {
    if (isLoopbackName(host)) return LOOPBACK_ADDRESSES;
    const known = this.#remembered.get(host);
    if (known !== undefined && known.untilMs > this.#now()) {
      if (known.answer instanceof SendFailure) throw known.answer;
      return known.answer;
    }
    let open = this.#open.get(host);
    if (open === undefined) {
      open = this.#ask(host, known?.answer instanceof SendFailure).finally(() => this.#open.delete(host));
      this.#open.set(host, open);
    }
    return open;
  }

  async #ask(host: string, isSuspect: boolean): Promise<readonly string[]> {
    try {
      const lookup = this.#slots.run(isSuspect, () => this.#query(host, isSuspect));
      const { addresses, ttlMs } = await within(this.#budgetMs, host, lookup);
      this.#remember(host, addresses, ttlMs);
      return addresses;
    } catch (error) {
      const failure = error instanceof SendFailure ? error : describe(host, error as Error);
      this.#remember(host, failure, isNotFound(error) ? NOT_FOUND_TTL_MS : TROUBLE_TTL_MS);
      throw failure;
    }
  }

  #remember(host: string, answer: Remembered['answer'], ttlMs: number): void {
    this.#remembered.set(host, { answer, untilMs: this.#now() + ttlMs });
  }

  async #query(host: string, isSuspect: boolean): Promise<Answer> {
    const [four, six] = await Promise.allSettled([
      this.#dns.resolve4(host, { ttl: true }),
      this.#dns.resolve6(host, { ttl: true }),
    ]);
    const records = [four, six].flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    if (records.length > 0) {
      const ttlMs = Math.min(...records.map(({ ttl }) => ttl * 1000));
      return {
        addresses: records.map(({ address }) => address),
        ttlMs: Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS),
      };
    }
    if (this.#useSystem) return this.#systemSlots.run(isSuspect, () => askSystem(host));
    const errors = [four, six].flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
    // Of two failures the one that may pass tells more than the one that says that a family has no record.
    throw errors.find((error) => !isNotFound(error)) ?? errors[0];
  }
}

async function askSystem(host: string): Promise<Answer> {
  const records = await dns.promises.lookup(host, { all: true });
  return { addresses: records.map(({ address }) => address), ttlMs: SYSTEM_TTL_MS };
}

async function within<T>(budgetMs: number, host: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new SendFailure('dns_failed', `The name ${host} was not resolved within ${budgetMs} ms.`));
    }, budgetMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function isNotFound(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

function describe(host: string, error: Error): SendFailure {
  const what = isNotFound(error) ? 'has no address' : 'could not be resolved';
  return new SendFailure('dns_failed', `The name ${host} ${what} (${errorCode(error) || error.message}).`, error);
}
