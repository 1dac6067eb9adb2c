/** An immutable fact in an app's log. */
export interface LogEvent {
  appId: string;
  /** 1, 2, 3 …, dense, in commit order. */
  position: number;
  /** Partition day, `YYYY-MM-DD` UTC; never decreases within an app. */
  day: string;
  id: string;
  type: string;
  /** When it happened, as the publisher says; milliseconds since 1970. */
  timeMs: number;
  /** When it was appended; milliseconds since 1970. */
  appendedMs: number;
  channels: readonly string[];
  /** The app's configuration version that the event was appended under (design rule 4). */
  configVersion: number;
  /** The JSON value of `data`, byte for byte as published. */
  data: Buffer;
  /** Of one that came in from outside: what core/origin.ts reads. */
  origin?: Buffer;
}

/** An event as the API accepted it, before it has a position. */
export interface NewEvent {
  id: string;
  /** Whether the caller chose the id: then it is an idempotency key too. */
  ownId: boolean;
  type: string;
  timeMs: number;
  /** Whether the caller gave the time; one that was filled in is not part of the event's hash. */
  timeGiven: boolean;
  channels: readonly string[];
  data: Buffer;
  /** Of one that came in from outside: what core/origin.ts wrote. */
  origin?: Buffer;
  /** Not to be appended before this time; milliseconds since 1970. */
  deliverAtMs?: number;
}

export const MAX_BATCH_EVENTS = 1000;
export const EVENT_TYPE_PATTERN = /^[a-zA-Z0-9_.-]{1,128}$/;
export const EVENT_ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
export const CHANNEL_PATTERN = /^[A-Za-z0-9_.:/-]{1,128}$/;
export const MAX_CHANNELS = 10;
/** How far ahead an event may be scheduled. */
export const MAX_DELIVER_AT_DAYS = 366;
