// When it is told that an endpoint fails: not of a blip, but once its breaker has been open for long, and then once. What was told ends with
// `endpoint.recovered`. Everything is keyed by the time at which the breaker opened, which goes with the lane to its next owner: so two owners
// tell it under one id.
import type { LoadedEndpoint } from './loaded-endpoint.ts';

/** What the lane of an endpoint says; null = this process has it no longer. */
export type LaneHealth = 'open' | 'well' | 'unknown';

export interface FailingAlertsParts {
  /** How long the breaker has to be open. */
  afterMs: number;
  now: () => number;
  healthOf: (appId: string, endpointId: string) => LaneHealth | null;
  tell: (alert: FailingAlert) => void;
  sweepEveryMs?: number;
}

export interface FailingAlert {
  type: 'endpoint.failing' | 'endpoint.recovered';
  appId: string;
  endpointId: string;
  url: string;
  /** When its breaker opened. */
  sinceMs: number;
  atMs: number;
}

interface Episode {
  appId: string;
  endpoint: LoadedEndpoint;
  sinceMs: number;
  told: boolean;
}

const SWEEP_EVERY_MS = 5000;
/** An outage that was going on for so much longer when the lane came here has been told of by its owner before. */
const OLD_MS = 3_600_000;

export class FailingAlerts {
  readonly #parts: FailingAlertsParts;
  readonly #episodes = new Map<string, Episode>();
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: FailingAlertsParts) {
    this.#parts = parts;
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#episodes.clear();
  }

  /** The breaker is open, since this time: it has just opened, or the lane came to this process so. */
  opened(appId: string, endpoint: LoadedEndpoint, sinceMs: number): void {
    const told = this.#parts.now() - sinceMs > this.#parts.afterMs + OLD_MS;
    const episode = { appId, endpoint, sinceMs: Math.round(sinceMs), told };
    this.#episodes.set(endpoint.id, episode);
    this.#timer ??= setInterval(() => this.sweep(), this.#parts.sweepEveryMs ?? SWEEP_EVERY_MS).unref();
    if (!told && this.#isLong(episode)) this.#tell('endpoint.failing', episode);
  }

  /** A probe got through. */
  closed(endpointId: string): void {
    const episode = this.#episodes.get(endpointId);
    this.#episodes.delete(endpointId);
    if (!episode) return;
    if (!episode.told && this.#isLong(episode)) this.#tell('endpoint.failing', episode);
    if (episode.told) this.#tell('endpoint.recovered', episode);
  }

  /** The endpoint was disabled, which is told by itself. */
  forget(endpointId: string): void {
    this.#episodes.delete(endpointId);
  }

  /** Tells what has gone on for long enough, and drops what has ended otherwise. */
  sweep(): void {
    for (const [endpointId, episode] of this.#episodes) {
      switch (this.#parts.healthOf(episode.appId, endpointId)) {
        case null: // its next owner tells the rest
          this.#episodes.delete(endpointId);
          break;
        case 'open':
          if (!episode.told && this.#isLong(episode)) this.#tell('endpoint.failing', episode);
          break;
        case 'well': // it was changed, which closed the breaker, and works now
          this.#episodes.delete(endpointId);
          if (episode.told) this.#tell('endpoint.recovered', episode);
          break;
        case 'unknown':
          if (!episode.told) this.#episodes.delete(endpointId);
      }
    }
    if (this.#episodes.size > 0 || !this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  #isLong({ sinceMs }: Episode): boolean {
    return this.#parts.now() - sinceMs >= this.#parts.afterMs;
  }

  #tell(type: FailingAlert['type'], episode: Episode): void {
    const { appId, endpoint, sinceMs } = episode;
    // The same whoever tells it: what has the same id must be the same event.
    const atMs = type === 'endpoint.failing' ? sinceMs + this.#parts.afterMs : this.#parts.now();
    if (type === 'endpoint.failing') episode.told = true;
    this.#parts.tell({ type, appId, endpointId: endpoint.id, url: endpoint.config.url, sinceMs, atMs });
  }
}
