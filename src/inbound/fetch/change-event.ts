// The event that tells of a change. Its id is made of what changed and of nothing else, so that a run that is made again, by whichever
// process, gives the same ids.
import { createHash } from 'node:crypto';
import { EVENT_TYPE_PATTERN, type NewEvent } from '../../core/event.ts';
import { changesOf, type FetchConfig, keysOf } from './fetch-config.ts';
import type { FetchState } from './fetch-state.ts';
import type { Change } from './find-changes.ts';
import { readText } from './item-path.ts';
import { fillText, placeholdersOf } from './template.ts';

const DEFAULT_TYPE = 'item.{change}';
const MAX_TYPE_LENGTH = 128;

/** @param place of the change in its run; `state` is that from before the run, `nowMs` the event's time where the item has none. */
export function changeEvent(
  change: Change,
  {
    sourceId,
    config,
    channels = [],
    state,
    place,
    nowMs,
  }: {
    sourceId: string;
    config: FetchConfig;
    channels?: readonly string[];
    state: FetchState;
    place: number;
    nowMs: number;
  },
): NewEvent {
  const { item } = change;
  const timeMs = item?.timeMs ?? null;
  return {
    id: `f_${createHash('sha256')
      .update(JSON.stringify([sourceId, ...identity(change, config, state, place)]))
      .digest('base64url')}`,
    ownId: false,
    type: typeOf(change, config),
    timeMs: timeMs ?? nowMs,
    timeGiven: timeMs !== null,
    channels: [...channels],
    data: item?.data ?? Buffer.from(JSON.stringify({ key: keyMember(change.key, config) })),
  };
}

function identity({ kind, key, version }: Change, config: FetchConfig, state: FetchState, place: number): unknown[] {
  if (key === null) return ['cursor', state.cursor, state.round, place, version];
  const { by } = changesOf(config);
  return by === 'id' ? [key] : [kind, key, version, state.round];
}

/** A key of several parts is shown as these. */
function keyMember(key: string | null, config: FetchConfig): unknown {
  return key?.startsWith('[') && keysOf(config).length > 1 ? JSON.parse(key) : key;
}

function typeOf({ kind, item }: Change, config: FetchConfig): string {
  const template = config.type ?? DEFAULT_TYPE;
  const values: Record<string, string | null> = { change: kind };
  for (const name of placeholdersOf(template)) {
    if (name !== 'change') values[name] = item === null ? null : readText(item.value, name);
  }
  const type = fillText(template, values)
    .replace(/[^a-zA-Z0-9_.-]/g, '_')
    .slice(0, MAX_TYPE_LENGTH);
  return EVENT_TYPE_PATTERN.test(type) ? type : 'item';
}
