// What streams of one app are sent, rendered once: a run is some consecutive frames, and readers that are at the same place of the log with
// the same form and filter write the same bytes. Runs lie in a cache of their own, bounded by bytes, and are made from the cache of events:
// at the live end without a query, further back by one read for all who are there.
import { LRUCache } from 'lru-cache';
import type { LogEvent } from '../core/event.ts';
import type { CompiledFilter } from '../core/filter.ts';
import type { EventCache, LogPlace } from '../log/event-cache.ts';
import type { Queryable } from '../storage/database.ts';
import { cursorExpired } from './cursor-expired.ts';
import type { RenderedLog } from './rendered-log.ts';

/** How events are put into frames. Forms of one app that share a name render alike. */
export interface FrameForm {
  readonly name: string;
  /** An event's frame, in pieces. */
  render(event: LogEvent): Buffer[];
}

/** Consecutive frames of one app; nobody may change them. */
export interface FrameRun {
  /** Whole frames, one after the other. */
  readonly bytes: Buffer;
  /** Of each frame: where it ends in `bytes`, and where its event stands in the log. */
  readonly ends: readonly number[];
  readonly places: readonly LogPlace[];
  /** How far the log was looked at: events after the last frame did not match. */
  readonly to: LogPlace;
}

export interface RunRequest {
  appId: string;
  /** The run begins after this place. */
  after: LogPlace;
  form: FrameForm;
  filter: CompiledFilter;
  /** Tells filters apart. */
  filterKey: string;
}

export interface FrameRunsOptions {
  /** Of all runs that are kept. */
  maxBytes: number;
  /** Of a run; a single frame may be larger. */
  maxRunBytes: number;
}

const DEFAULTS: FrameRunsOptions = { maxBytes: 4 * 1024 * 1024, maxRunBytes: 256 * 1024 };
/** What a run and each of its frames weigh in memory besides the bytes, roughly. */
const RUN_OVERHEAD_BYTES = 300;
const FRAME_OVERHEAD_BYTES = 60;

export class FrameRuns {
  readonly #db: Queryable;
  readonly #rendered: RenderedLog;
  readonly #cache: EventCache;
  readonly #options: FrameRunsOptions;
  readonly #runs: LRUCache<string, FrameRun>;
  readonly #loads = new Map<string, Promise<FrameRun>>();

  constructor(parts: {
    db: Queryable;
    cache: EventCache;
    rendered: RenderedLog;
    options?: Partial<FrameRunsOptions>;
  }) {
    this.#db = parts.db;
    this.#cache = parts.cache;
    this.#rendered = parts.rendered;
    this.#options = { ...DEFAULTS, ...parts.options };
    this.#runs = new LRUCache({
      maxSize: this.#options.maxBytes,
      sizeCalculation: ({ bytes, ends }) => bytes.length + ends.length * FRAME_OVERHEAD_BYTES + RUN_OVERHEAD_BYTES,
    });
  }

  /** The run after a place as far as it can be had from memory; null when it cannot. */
  peek(request: RunRequest): FrameRun | null {
    const key = keyOf(request);
    const kept = this.#runs.get(key);
    if (kept !== undefined) return kept;
    const events = this.#cache.peek(request.appId, request.after.position + 1);
    return events.length === 0 ? null : this.#make(key, request, events);
  }

  /**
   * The run after a place that is before `head`, read from the database where it is not in memory. It looks at one event at least.
   * @throws TidingsError `cursor_expired` when retention has dropped the events right after the place
   */
  async load(request: RunRequest, head: LogPlace): Promise<FrameRun> {
    const found = this.peek(request);
    if (found !== null) return found;
    const key = keyOf(request);
    let load = this.#loads.get(key);
    if (load === undefined) {
      load = this.#read(key, request, head).finally(() => this.#loads.delete(key));
      this.#loads.set(key, load);
    }
    return await load;
  }

  async #read(key: string, request: RunRequest, head: LogPlace): Promise<FrameRun> {
    const { appId, after } = request;
    const from = { position: after.position + 1, day: after.day };
    const events = await this.#cache.read(appId, from, head);
    if (events.length === 0 || events[0].position !== from.position) {
      throw await cursorExpired({ db: this.#db, rendered: this.#rendered }, appId, from.position, head);
    }
    return this.#make(key, request, events);
  }

  #make(key: string, { form, filter, after }: RunRequest, events: LogEvent[]): FrameRun {
    const pieces: Buffer[] = [];
    const ends: number[] = [];
    const places: LogPlace[] = [];
    let length = 0;
    let to = after;
    for (const event of events) {
      const place = { position: event.position, day: event.day };
      if (filter.matches(event)) {
        if (length > 0 && length + event.data.length > this.#options.maxRunBytes) break;
        for (const piece of form.render(event)) {
          pieces.push(piece);
          length += piece.length;
        }
        ends.push(length);
        places.push(place);
      }
      to = place;
    }
    const run = { bytes: Buffer.concat(pieces, length), ends, places, to };
    this.#runs.set(key, run);
    return run;
  }
}

function keyOf({ appId, after, form, filterKey }: RunRequest): string {
  return `${appId} ${after.position} ${form.name} ${filterKey}`;
}
