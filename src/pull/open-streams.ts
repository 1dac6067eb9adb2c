// The streams that this process holds open: how many there may be, that each is written to now and then, that whoever has lost the right to
// read stops reading, and that all end when the process does. One timer for all of them, and two queries for each round of checks.
import { TidingsError } from '../core/errors.ts';

export interface OpenStream {
  readonly appId: string;
  readonly keyId: string;
  /** Called every 15 seconds: a sign of life, and to look for the reader's. */
  beat(): void;
  /** Ends it in order; null = this process goes away. */
  end(reason: TidingsError | null): void;
  /** Ends it at once. */
  destroy(): void;
}

export interface StreamLimits {
  perApp: number;
  perKey: number;
}

export interface OpenStreamsParts {
  limits: StreamLimits;
  /** Which of these keys and apps there still are. */
  liveKeys: (keyIds: string[]) => Promise<Set<string>>;
  liveApps: (appIds: string[]) => Promise<Set<string>>;
  onError: (error: unknown) => void;
  options?: { beatEveryMs?: number; checkEveryMs?: number };
}

/** Beats are spread: with every tick a share of the streams has its turn. */
const SHARES = 15;
const BEAT_EVERY_MS = 15_000;
const CHECK_EVERY_MS = 10_000;
/** How long streams that end may take to write what they have begun. */
const END_MS = 1000;

export class OpenStreams {
  readonly #parts: OpenStreamsParts;
  readonly #shares: Set<OpenStream>[] = Array.from({ length: SHARES }, () => new Set());
  readonly #byApp = new Map<string, number>();
  readonly #byKey = new Map<string, number>();
  readonly #timers: NodeJS.Timeout[] = [];
  #turn = 0;
  #beatTurn = 0;
  #isStopped = true;
  #isChecking = false;

  constructor(parts: OpenStreamsParts) {
    this.#parts = parts;
  }

  /** A stream that comes now would be ended at once. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  async start(): Promise<void> {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    const { beatEveryMs = BEAT_EVERY_MS, checkEveryMs = CHECK_EVERY_MS } = this.#parts.options ?? {};
    this.#timers.push(
      setInterval(() => this.#beat(), beatEveryMs / SHARES),
      setInterval(() => void this.#check(), checkEveryMs),
    );
  }

  /** Tells all readers to go; those that do not read are cut off a second later. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    for (const stream of this.#all()) stream.end(null);
    if (this.#count() === 0) return;
    setTimeout(() => {
      for (const stream of this.#all()) stream.destroy();
    }, END_MS).unref();
  }

  /**
   * Counts a stream from now until the function that is returned is called; it may be called twice.
   * @throws TidingsError `too_many_requests`
   */
  reserve({ appId, keyId }: { appId: string; keyId: string }): () => void {
    const { perApp, perKey } = this.#parts.limits;
    if ((this.#byApp.get(appId) ?? 0) >= perApp) throw tooMany('app', perApp, 'streamsPerApp');
    if ((this.#byKey.get(keyId) ?? 0) >= perKey) throw tooMany('key', perKey, 'streamsPerKey');
    count(this.#byApp, appId, 1);
    count(this.#byKey, keyId, 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      count(this.#byApp, appId, -1);
      count(this.#byKey, keyId, -1);
    };
  }

  /** Looks after a stream until the function that is returned is called. */
  add(stream: OpenStream): () => void {
    this.#turn = (this.#turn + 1) % SHARES;
    const share = this.#shares[this.#turn];
    share.add(stream);
    return () => void share.delete(stream);
  }

  #all(): OpenStream[] {
    return this.#shares.flatMap((share) => [...share]);
  }

  #count(): number {
    return this.#shares.reduce((sum, share) => sum + share.size, 0);
  }

  #beat(): void {
    this.#beatTurn = (this.#beatTurn + 1) % SHARES;
    for (const stream of this.#shares[this.#beatTurn]) stream.beat();
  }

  async #check(): Promise<void> {
    if (this.#isChecking || this.#count() === 0) return;
    this.#isChecking = true;
    try {
      const streams = this.#all();
      const keys = await this.#parts.liveKeys([...new Set(streams.map(({ keyId }) => keyId))]);
      const apps = await this.#parts.liveApps([...new Set(streams.map(({ appId }) => appId))]);
      for (const stream of streams) {
        if (!keys.has(stream.keyId)) stream.end(keyGone());
        else if (!apps.has(stream.appId)) stream.end(appGone(stream.appId));
      }
    } catch (error) {
      this.#parts.onError(error); // the next round finds out
    } finally {
      this.#isChecking = false;
    }
  }
}

function count(counts: Map<string, number>, id: string, more: number): void {
  const sum = (counts.get(id) ?? 0) + more;
  if (sum === 0) counts.delete(id);
  else counts.set(id, sum);
}

function tooMany(of: 'app' | 'key', limit: number, option: string): TidingsError {
  return new TidingsError(
    'too_many_requests',
    `This ${of} has ${limit} streams open on this process, as many as ${option} allows. Close one, share one among several readers, or raise the option.`,
  );
}

function keyGone(): TidingsError {
  return new TidingsError('unauthorized', 'The API key was deleted or has expired. Open the stream with a valid one.');
}

function appGone(appId: string): TidingsError {
  return new TidingsError('not_found', `There is no app ${appId}.`);
}
