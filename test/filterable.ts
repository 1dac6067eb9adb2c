// An event as filters see it.
import type { Filterable } from '../src/core/filter.ts';

/** `data` as it would be published: text is JSON already. */
export function aFilterable({
  type = 'invoice.paid',
  channels = [],
  time = '2026-11-21T10:00:00Z',
  ...more
}: {
  type?: string;
  channels?: readonly string[];
  time?: string;
} & ({ data?: unknown } | { json: string }) = {}): Filterable {
  const json = 'json' in more ? more.json : JSON.stringify(more.data ?? null);
  return { type, channels, timeMs: Date.parse(time), data: Buffer.from(json) };
}
