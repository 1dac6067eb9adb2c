// Consecutive events of one app as they go out, in few large buffers. Each stands with the separator before it, so that any run of them is a
// slice. Bytes that were written are never written again: slices that were handed out stay as they are while more is added.
import type { LogEvent } from '../core/event.ts';
import type { LogFormat } from './log-format.ts';

interface Segment {
  /** Of its first byte, counted over all segments. */
  offset: number;
  bytes: Buffer;
  used: number;
}

const MIN_SEGMENT_BYTES = 1024;
const MAX_SEGMENT_BYTES = 512 * 1024;
/** What is written of an event besides its data, roughly. */
const FRAME_BYTES = 240;
/** What an event weighs besides its bytes, roughly. */
const EVENT_OVERHEAD_BYTES = 32;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

export class RenderedEvents {
  readonly first: number;
  readonly #format: LogFormat;
  readonly #segments: Segment[] = [];
  /** The offset at which event n ends; it begins, with its separator, where the one before ends. */
  readonly #ends: number[] = [];
  readonly #days: string[] = [];
  #segmentBytes = 0;

  constructor(format: LogFormat, first: number) {
    this.#format = format;
    this.first = first;
  }

  /** The position after the last. */
  get end(): number {
    return this.first + this.#ends.length;
  }

  /** In memory. */
  get bytes(): number {
    return this.#segmentBytes + this.#ends.length * EVENT_OVERHEAD_BYTES;
  }

  covers(position: number): boolean {
    return position >= this.first && position < this.end;
  }

  dayOf(position: number): string {
    return this.#days[position - this.first];
  }

  /** Adds the events that follow; `signed` = what stands between data and the end, of each. */
  append(
    events: readonly LogEvent[],
    cursorOf: (event: LogEvent) => string,
    signed?: (event: LogEvent) => string,
  ): void {
    let toCome = 0;
    for (const event of events) toCome += event.data.length + FRAME_BYTES;
    for (const event of events) {
      this.#write(event, cursorOf(event), toCome, signed?.(event));
      toCome -= event.data.length + FRAME_BYTES;
    }
  }

  /** How many events from a position on have at most `maxBytes`; at least one. `to` = the position after the last that is wanted. */
  fitting(from: number, to: number, maxBytes: number): number {
    const start = this.#startOf(from);
    const last = Math.min(to, this.end) - 1;
    if (this.#ends[last - this.first] - start <= maxBytes) return last - from + 1;
    let count = 1;
    while (this.#ends[from + count - this.first] - start <= maxBytes) count++;
    return count;
  }

  /** Adds the bytes of the events from..to-1 to `out` and says how many they are; `bare` = without the separator before the first. */
  slice(from: number, to: number, bare: boolean, out: Buffer[]): number {
    const start = this.#startOf(from) + (bare ? this.#format.separator.length : 0);
    const end = this.#ends[to - 1 - this.first];
    for (const { offset, bytes, used } of this.#segments) {
      if (offset + used <= start) continue;
      if (offset >= end) break;
      out.push(bytes.subarray(Math.max(0, start - offset), Math.min(used, end - offset)));
    }
    return end - start;
  }

  #startOf(position: number): number {
    return position === this.first ? 0 : this.#ends[position - 1 - this.first];
  }

  #write(event: LogEvent, cursor: string, toCome: number, signed: string | undefined): void {
    const { separator, after, isLineBased } = this.#format;
    const before = separator + this.#format.before(event, cursor);
    const data = isLineBased ? withoutLineBreaks(event.data) : event.data;
    // A signed event holds a copy of its body as text: the one thing besides data that is not ASCII.
    const tail = signed === undefined ? after : Buffer.from(signed + after);
    const segment = this.#segmentFor(before.length + data.length + tail.length, toCome);
    const { bytes } = segment;
    let at = segment.used;
    at += bytes.write(before, at, 'latin1');
    bytes.set(data, at);
    at += data.length;
    if (typeof tail === 'string') at += bytes.write(tail, at, 'latin1');
    else at += tail.copy(bytes, at);
    segment.used = at;
    this.#ends.push(segment.offset + at);
    this.#days.push(event.day);
  }

  /** What comes one by one gets segments that double; what comes at once, one. */
  #segmentFor(size: number, toCome: number): Segment {
    const last = this.#segments[this.#segments.length - 1];
    if (last !== undefined && last.bytes.length - last.used >= size) return last;
    const wanted = Math.max(MIN_SEGMENT_BYTES, toCome, last === undefined ? 0 : 2 * last.bytes.length);
    // Of its own: a slice of the shared pool would keep that in memory.
    const bytes = Buffer.allocUnsafeSlow(Math.max(size, Math.min(wanted, MAX_SEGMENT_BYTES)));
    const segment = { offset: last === undefined ? 0 : last.offset + last.used, bytes, used: 0 };
    this.#segments.push(segment);
    this.#segmentBytes += bytes.length;
    return segment;
  }
}

/** Raw line breaks stand in JSON between tokens only, never within a string: as spaces they mean the same. */
function withoutLineBreaks(data: Buffer): Buffer {
  if (!data.includes(LINE_FEED) && !data.includes(CARRIAGE_RETURN)) return data;
  const line = Buffer.from(data);
  for (let i = 0; i < line.length; i++) if (line[i] === LINE_FEED || line[i] === CARRIAGE_RETURN) line[i] = SPACE;
  return line;
}
