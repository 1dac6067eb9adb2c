// A reader that waits at the end of a log for what comes. It follows the log from the moment it is made, so what is committed between the
// page that was empty and the waiting is not missed. While it waits it costs an entry among the log's readers and a timer, and no query.
import type { LogPlace } from '../log/event-cache.ts';
import type { Head } from '../storage/heads.ts';
import type { LogReader } from './log-readers.ts';
import type { LogPage, PageRequest } from './read-page.ts';

export interface LongPollParts {
  /** @throws TidingsError too_many_requests */
  follow(appId: string, reader: LogReader): () => void;
  readPage(request: PageRequest, head: Head): Promise<LogPage>;
}

/** What came of it: a page, empty at the end of the time; or why none could be read. */
export type LongPollResult = { page: LogPage; timedOut: boolean } | { error: unknown };

export class LongPoll implements LogReader {
  readonly #parts: LongPollParts;
  readonly #request: PageRequest;
  readonly #unfollow: () => void;
  #place: LogPlace;
  /** The furthest end that it was told of. */
  #head: Head | null = null;
  #onEnd: ((result: LongPollResult) => void) | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isReading = false;

  /** @throws TidingsError too_many_requests */
  constructor(parts: LongPollParts, request: PageRequest) {
    this.#parts = parts;
    this.#request = request;
    this.#place = request.after;
    this.#unfollow = parts.follow(request.appId, this);
  }

  moved(head: Head): void {
    this.#head = head;
    if (this.#onEnd !== null && !this.#isReading) void this.#read();
  }

  /** Waits for the events after `place`. `onEnd` is called once, unless the poll is abandoned. */
  wait(place: LogPlace, timeoutMs: number, onEnd: (result: LongPollResult) => void): void {
    this.#place = place;
    this.#onEnd = onEnd;
    this.#timer = setTimeout(timedOut, timeoutMs, this);
    if (this.#head !== null) void this.#read();
  }

  /** Ends the waiting now, with an empty page. */
  release(): void {
    const { start, after } = this.#request;
    const page = { body: [], bytes: 0, count: 0, start: start ?? after, cursor: this.#place, done: true };
    this.#end({ page, timedOut: true });
  }

  /** Stops, and answers nothing. */
  abandon(): void {
    this.#unfollow();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#onEnd = null;
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      while (this.#onEnd !== null && this.#head!.position > this.#place.position) {
        const request = { ...this.#request, after: this.#place, start: this.#request.after };
        const page = await this.#parts.readPage(request, this.#head!);
        this.#place = page.cursor;
        if (page.count > 0) this.#end({ page, timedOut: false });
      }
    } catch (error) {
      this.#end({ error });
    } finally {
      this.#isReading = false;
    }
  }

  #end(result: LongPollResult): void {
    const onEnd = this.#onEnd;
    if (onEnd === null) return;
    this.abandon();
    onEnd(result);
  }
}

function timedOut(poll: LongPoll): void {
  poll.release();
}
