// A source of kind webhook, ready to receive: with its provider, its secrets, and what it is limited to.
import { type CompiledFilter, compileFilter } from '../core/filter.ts';
import { type Source, type SourceSecret, WEBHOOK_SECRET } from '../core/source.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import { configureProvider } from './configure-provider.ts';
import type { Provider } from './provider.ts';
import { findProvider } from './provider-table.ts';
import { optionSecretName, WEBHOOK_DEFAULTS, type WebhookConfig } from './webhook-config.ts';

export interface WebhookSource {
  readonly source: Source;
  readonly config: WebhookConfig;
  readonly provider: Provider;
  readonly secrets: readonly string[];
  /** All of them, also those that are secret. */
  readonly options: Readonly<Record<string, string>>;
  /** What is to be hidden where a request is shown. */
  readonly hidden: readonly string[];
  readonly filter: CompiledFilter;
  readonly bucket: TokenBucket | null;
}

export interface LoadWebhookSource {
  source: Source;
  secrets: readonly SourceSecret[];
  /** The same source as it was before, whose rate goes on. */
  before: WebhookSource | null;
  nowMs: number;
}

/** @throws TidingsError `invalid_request`: this program knows the provider, or an option of it, no more. */
export function loadWebhookSource({ source, secrets, before, nowMs }: LoadWebhookSource): WebhookSource {
  const config: WebhookConfig = {
    ...WEBHOOK_DEFAULTS,
    ...(source.config as Partial<WebhookConfig> & { provider: string }),
  };
  const options = { ...config.options };
  for (const { name } of findProvider(config.provider)?.options ?? []) {
    const kept = secrets.find((secret) => secret.name === optionSecretName(name));
    if (kept !== undefined) options[name] = kept.secret;
  }
  const { ratePerSecond: rate } = config;
  const bucket =
    before?.bucket?.perSecond === rate ? before.bucket : rate === null ? null : new TokenBucket(rate, nowMs);
  return {
    source,
    config,
    provider: configureProvider(config.provider, options),
    secrets: secrets.filter(({ name }) => name === WEBHOOK_SECRET).map(({ secret }) => secret),
    options,
    hidden: secrets.map(({ secret }) => secret),
    filter: compileFilter(config.filter),
    bucket,
  };
}
