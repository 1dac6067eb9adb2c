// What a source of kind webhook is told to do, as it is stored.
import type { EndpointFilter } from '../core/endpoint.ts';
import { NO_TRANSFORMATION, type Transformation } from '../core/transformation.ts';
import type { FetchConfig } from './fetch/fetch-config.ts';

export interface WebhookConfig {
  /** The id of its row among the providers. */
  provider: string;
  description: string;
  /** What the provider needs besides the secret; those that are secret are kept as secrets are. */
  options: Record<string, string>;
  /** Only what matches becomes an event. */
  filter: EndpointFilter;
  /** What goes through the filter goes through its code. */
  transform: Transformation;
  /** The channels that its events get. */
  channels: string[];
  /** For how long an event is known by the provider's id, or by its body where it has none; 0 = none is ever a duplicate. */
  deduplicateSeconds: number;
  /** Events a second that one process takes; null = no limit. */
  ratePerSecond: number | null;
  /** In place of the answer that the provider wants, once the event is stored. */
  response: { status: number; headers: Record<string, string>; body: string } | null;
  /** Every request is kept to be looked at, not only those that are refused. */
  capture: boolean;
  /** What is fetched behind the webhooks, so that a lost one is found; without what is secret of it. */
  fetch?: FetchConfig;
}

/** What a source has that nothing was said of; a stored configuration of an older version lacks what came later. */
export const WEBHOOK_DEFAULTS: Omit<WebhookConfig, 'provider'> = {
  description: '',
  options: {},
  filter: {},
  transform: NO_TRANSFORMATION,
  channels: [],
  deduplicateSeconds: 24 * 3600,
  ratePerSecond: null,
  response: null,
  capture: false,
};

/** The name of the secret that an option's value is kept under. */
export function optionSecretName(option: string): string {
  return `option:${option}`;
}
