// An item of an answer with what it is known and compared by.
import { createHash } from 'node:crypto';
import { ExactNumber, type ExactValue, writeExact } from '../../core/formats/exact-json.ts';
import { changesOf, type FetchConfig, keysOf } from './fetch-config.ts';
import { FetchFailure } from './fetch-failure.ts';
import { readAll, readText } from './item-path.ts';
import { readTimeMs } from './read-time.ts';

export interface FetchedItem {
  /** What it is known by; null where every item is told. */
  key: string | null;
  /** Differs when the item does, as far as that matters. */
  version: string;
  timeMs: number | null;
  value: ExactValue;
  /** The item as JSON, its numbers with the digits they had. */
  data: Buffer;
}

const DOCUMENT_KEY = 'document';
// An index of Postgres takes no more than 2,704 bytes.
const MAX_KEY_LENGTH = 600;

/** @throws FetchFailure not_understood when the item lacks its key, or a time that is needed */
export function fetchedItem(value: ExactValue, index: number, config: FetchConfig, isFeed: boolean): FetchedItem {
  const changes = changesOf(config);
  const timePath = config.time ?? (isFeed ? 'publishedAt' : undefined);
  const timeText = timePath === undefined ? null : readText(value, timePath);
  const timeMs = timeText === null ? null : readTimeMs(timeText);
  if (timeMs === null && changes.by === 'time') {
    const found = timeText === null ? 'no time' : `"${timeText.slice(0, 100)}", which is no time,`;
    throw new FetchFailure('not_understood', `Item ${index + 1} has ${found} at ${timePath}.`);
  }
  const compared = changes.by === 'version' && changes.path !== undefined ? readAll(value, changes.path) : value;
  return {
    key: keyOf(value, index, config, isFeed),
    version: createHash('sha256').update(writeSorted(compared)).digest('base64url').slice(0, 22),
    timeMs,
    value,
    data: Buffer.from(writeExact(value)),
  };
}

function keyOf(value: ExactValue, index: number, config: FetchConfig, isFeed: boolean): string | null {
  const { by } = changesOf(config);
  if (by === 'document') return DOCUMENT_KEY;
  const paths = keysOf(config).length === 0 && isFeed ? ['id'] : keysOf(config);
  if (paths.length === 0) return null;
  const parts = paths.map((path) => {
    const part = readText(value, path);
    if (part === null || part === '') {
      throw new FetchFailure(
        'not_understood',
        `Item ${index + 1} has no key at ${path}. Name a path that every item has.`,
      );
    }
    return part;
  });
  const key = parts.length === 1 ? parts[0] : JSON.stringify(parts);
  if (key.length > MAX_KEY_LENGTH || key.includes('\0')) {
    return `sha256:${createHash('sha256').update(key).digest('base64url')}`;
  }
  return key;
}

/** As JSON with its members in order: the same item whatever order the API wrote them in. */
function writeSorted(value: ExactValue): string {
  if (Array.isArray(value)) return `[${value.map(writeSorted).join(',')}]`;
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return writeExact(value);
  const members = Object.entries(value as Record<string, ExactValue>).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${writeSorted(member)}`).join(',')}}`;
}
