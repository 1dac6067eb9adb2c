// What one process tells the others, as text for NOTIFY. Several hints go into one payload, and into several only when Postgres would not take
// it: less than 8000 bytes each.
import type { Head } from '../storage/heads.ts';
import { MAX_PAYLOAD_BYTES } from '../storage/notifications.ts';

export interface HintBatch {
  /** Where logs end now, by app. */
  heads: [appId: string, head: Head][];
  /** Apps whose configuration was changed, or that were deleted. */
  changedApps: string[];
  /** Slots for whose owner a command waits. */
  commandSlots: number[];
  /** Slots became free or were given away, or a process is new. */
  slotsMoved: boolean;
  /** The catalogue of event types was changed. */
  catalogueChanged: boolean;
  /** By id; whoever can answers. */
  questions: [id: string, question: unknown][];
  answers: [id: string, answer: unknown][];
}

export function emptyBatch(): HintBatch {
  return {
    heads: [],
    changedApps: [],
    commandSlots: [],
    slotsMoved: false,
    catalogueChanged: false,
    questions: [],
    answers: [],
  };
}

/** One letter each: a payload is short, and head hints are many. */
interface Payload {
  h?: [string, number, string, number][];
  c?: string[];
  w?: number[];
  s?: 1;
  t?: 1;
  q?: [string, unknown][];
  a?: [string, unknown][];
}
const LISTS = ['q', 'a', 'w', 'c', 'h'] as const;
const BRACES_BYTES = 2;

/** A hint that alone is too long for a payload is left out. */
export function encodeHints(batch: HintBatch): string[] {
  const lists: Required<Omit<Payload, 's' | 't'>> = {
    q: batch.questions,
    a: batch.answers,
    w: batch.commandSlots,
    c: batch.changedApps,
    h: batch.heads.map(([appId, head]) => [appId, head.position, head.day, head.configVersion]),
  };
  const payloads: string[] = [];
  let fields: Partial<Record<string, string[]>> = {
    ...(batch.slotsMoved && { s: [] }),
    ...(batch.catalogueChanged && { t: [] }),
  };
  let bytes = BRACES_BYTES + 12;
  const close = (): void => {
    const members = Object.entries(fields).map(([key, items]) =>
      key === 's' || key === 't' ? `"${key}":1` : `"${key}":[${items!.join(',')}]`,
    );
    if (members.length > 0) payloads.push(`{${members.join(',')}}`);
    fields = {};
    bytes = BRACES_BYTES;
  };
  for (const key of LISTS) {
    for (const item of lists[key]) {
      const text = JSON.stringify(item);
      const size = Buffer.byteLength(text) + 1;
      if (size + BRACES_BYTES + 7 > MAX_PAYLOAD_BYTES) continue;
      if (bytes + size + (fields[key] ? 0 : 7) > MAX_PAYLOAD_BYTES) close();
      if (!fields[key]) {
        fields[key] = [];
        bytes += 7;
      }
      fields[key].push(text);
      bytes += size;
    }
  }
  close();
  return payloads;
}

/** Of another version's payload, what is understood. */
export function decodeHints(payload: string): HintBatch {
  const parsed = parse(payload);
  const list = <T>(items: T[] | undefined): T[] => (Array.isArray(items) ? items : []);
  return {
    heads: list(parsed.h).map(([appId, position, day, configVersion]) => [appId, { position, day, configVersion }]),
    changedApps: list(parsed.c),
    commandSlots: list(parsed.w),
    slotsMoved: parsed.s === 1,
    catalogueChanged: parsed.t === 1,
    questions: list(parsed.q),
    answers: list(parsed.a),
  };
}

function parse(payload: string): Payload {
  try {
    const parsed: unknown = JSON.parse(payload);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
