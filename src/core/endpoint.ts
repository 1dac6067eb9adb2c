// An endpoint is a cursor with a sender attached: what the user configured, without its secrets and its live state.
import type { EndpointAuth } from './endpoint-auth.ts';
import { type EndpointFormat, STANDARD_FORMAT } from './formats/endpoint-format.ts';
import type { Signing } from './signing/signing.ts';
import { NO_TRANSFORMATION, type Transformation } from './transformation.ts';
import type { Where } from './where.ts';

export const ENDPOINT_STATES = ['active', 'pausing', 'paused', 'disabled', 'pull'] as const;
export type EndpointState = (typeof ENDPOINT_STATES)[number];

export const DISABLED_REASONS = ['gone', 'unreachable'] as const;
export type DisabledReason = (typeof DISABLED_REASONS)[number];

export interface EndpointFilter {
  /** Exact types or patterns in which `*` stands for any run of characters; absent = all types. */
  types?: string[];
  /** Event matches when it has at least one of these; absent = any. */
  channels?: string[];
  /** And these conditions on its data, type, time and channels must be met. */
  where?: Where;
}

export interface EndpointConfig {
  url: string;
  description: string;
  filter: EndpointFilter;
  /** The user's code that an event goes through before it is written in the format. */
  transformation: Transformation;
  /** What its requests look like. */
  format: EndpointFormat;
  /** Sent with every attempt; names in lower case. */
  headers: Record<string, string>;
  signing: Signing;
  /** How Tidings proves who calls, without what is secret of it; null = it does not. */
  auth: EndpointAuth | null;
  /** Delay before each further attempt, in seconds; null = the default schedule. */
  retryDelaysSeconds: number[] | null;
  maxConcurrency: number;
  /** Total deadline of one attempt. */
  timeoutMs: number;
  /** After this long with an open breaker the endpoint is disabled. */
  disableAfterSeconds: number;
  /** Requests a second, at most; null = no limit. */
  rate: { perSecond: number } | null;
  /** strict = one at a time, and nothing overtakes a failed event. */
  order: EndpointOrder;
  /** Under strict order: whether an event that has used up its schedule is given up, or holds the others up. */
  onExhausted: OnExhausted;
  /** Several events in one request: as soon as so many wait, or the first has waited so long; null = one each. */
  batch: { maxEvents: number; maxWaitMs: number } | null;
  /** push = its events are sent; pull = they wait in the log to be fetched, and whoever fetches them moves the cursor. */
  mode: EndpointMode;
}

export const ENDPOINT_MODES = ['push', 'pull'] as const;
export type EndpointMode = (typeof ENDPOINT_MODES)[number];

export const ENDPOINT_ORDERS = ['none', 'strict'] as const;
export type EndpointOrder = (typeof ENDPOINT_ORDERS)[number];

export const ON_EXHAUSTED = ['skip', 'block'] as const;
export type OnExhausted = (typeof ON_EXHAUSTED)[number];

/** What an endpoint has that nothing was said of; a stored configuration of an older version lacks what came later. */
export const ENDPOINT_DEFAULTS: Omit<EndpointConfig, 'url'> = {
  description: '',
  filter: {},
  transformation: NO_TRANSFORMATION,
  format: STANDARD_FORMAT,
  headers: {},
  signing: 'v1',
  auth: null,
  retryDelaysSeconds: null,
  maxConcurrency: 256,
  timeoutMs: 15_000,
  disableAfterSeconds: 5 * 24 * 3600,
  rate: null,
  order: 'none',
  onExhausted: 'skip',
  batch: null,
  mode: 'push',
};

export interface Endpoint {
  appId: string;
  id: string;
  uid: string | null;
  config: EndpointConfig;
  /** The app's configuration version at which this configuration became valid. */
  configVersion: number;
  pausedAt: Date | null;
  disabledAt: Date | null;
  disabledReason: DisabledReason | null;
  /** Positions up to here are not to be delivered: the endpoint was resumed from the head. 0 = none. */
  skipThrough: number;
  createdAt: Date;
  updatedAt: Date;
}

/** The part of an endpoint that decides matching, valid from a position on (design rule 4). */
export interface EndpointVersion {
  configVersion: number;
  fromPosition: number;
  filter: EndpointFilter;
}

export const SLOTS = 256;

/** The slot of an endpoint by its UUID: the last byte, which is random in a UUIDv7. */
export function slotOf(endpointUuid: string): number {
  return Number.parseInt(endpointUuid.slice(-2), 16);
}
