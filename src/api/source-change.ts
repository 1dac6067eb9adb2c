// A source as it is created or changed by the API: of either kind, put together and checked as a whole before it is stored.
import type { z } from 'zod';
import type { Source, SourceSecret } from '../core/source.ts';
import { changeTransformation, checkTransformation, NO_TRANSFORMATION } from '../core/transformation.ts';
import { changeWebhook, checkChannels, type WebhookInput } from '../inbound/change-webhook.ts';
import { type ChangedFetch, changeFetch, type FetchChange } from '../inbound/fetch/change-fetch.ts';
import { FETCH_AUTH_SECRET } from '../inbound/fetch/fetch-auth.ts';
import { FETCH_MEMBERS } from '../inbound/fetch/fetch-config.ts';
import { WEBHOOK_DEFAULTS, type WebhookConfig } from '../inbound/webhook-config.ts';
import type { ApiContext } from './context.ts';
import { invalidFields } from './problem.ts';
import {
  type FetchSourceConfig,
  fetchSourceConfig,
  type NewSourceSchema,
  type SourceChangeSchema,
  webhookConfig,
} from './source-json.ts';

export interface SourceToStore {
  config: WebhookConfig | FetchSourceConfig;
  isFetched: boolean;
  /** The names of the secrets that are replaced, and what by. */
  names: string[];
  secrets: SourceSecret[];
}

/** What sources of both kinds have. */
const COMMON_MEMBERS = ['description', 'channels', 'transform'];

type CheckUrl = ApiContext['checkUrl'];
type NewSource = z.infer<typeof NewSourceSchema>;
type SourceChange = Omit<z.infer<typeof SourceChangeSchema>, 'uid' | 'paused'>;

/** @throws TidingsError `invalid_request`, `invalid_url`, `address_forbidden` */
export function newSource(checkUrl: CheckUrl, input: NewSource): SourceToStore {
  if (input.kind === 'fetch') {
    const { kind: _, uid: __, ...members } = input;
    return fetchSource(checkUrl, { description: '', channels: [], transform: NO_TRANSFORMATION, fetch: null }, members);
  }
  const { kind: _, uid: __, provider, fetch, ...members } = input;
  // A new source has all the options that it needs.
  const withOptions = { ...members, options: members.options ?? {} };
  return webhookSource(checkUrl, { ...WEBHOOK_DEFAULTS, provider }, { ...withOptions, ...(fetch && { fetch }) });
}

/** @throws TidingsError `invalid_request`, `invalid_url`, `address_forbidden` */
export function changedSource(checkUrl: CheckUrl, stored: Source, input: SourceChange): SourceToStore {
  const given = Object.keys(input).filter((name) => input[name as keyof SourceChange] !== undefined);
  const isOther = (name: string): boolean =>
    !COMMON_MEMBERS.includes(name) && Object.hasOwn(FETCH_MEMBERS, name) !== (stored.kind === 'fetch');
  const errors = given.filter(isOther).map((name) => ({
    path: `/${name}`,
    message: `A source of kind ${stored.kind} has no ${name}${stored.kind === 'webhook' ? ' of its own: write it within fetch' : ''}.`,
  }));
  if (errors.length > 0) throw invalidFields(errors);
  if (stored.kind === 'fetch') return fetchSource(checkUrl, fetchSourceConfig(stored), input as FetchInput);
  return webhookSource(checkUrl, webhookConfig(stored), input);
}

type FetchInput = FetchChange & {
  description?: string | undefined;
  channels?: string[] | undefined;
  transform?: string | null | undefined;
};

function fetchSource(
  checkUrl: CheckUrl,
  current: Omit<FetchSourceConfig, 'fetch'> & { fetch: FetchSourceConfig['fetch'] | null },
  { description = current.description, channels = current.channels, transform: code, ...change }: FetchInput,
): SourceToStore {
  const errors = [...checkChannels(channels), ...(code == null ? [] : checkTransformation(code, '/transform'))];
  if (errors.length > 0) throw invalidFields(errors);
  const changed = acceptedFetch(checkUrl, changeFetch(current.fetch ?? {}, change));
  const transform = code === undefined ? current.transform : changeTransformation(current.transform, code);
  return { ...changed, config: { description, channels, transform, fetch: changed.config }, isFetched: true };
}

function webhookSource(
  checkUrl: CheckUrl,
  current: WebhookConfig,
  { fetch, ...input }: WebhookInput & { fetch?: FetchChange | null | undefined },
): SourceToStore {
  const changed = changeWebhook(current, WEBHOOK_DEFAULTS, input);
  if (Array.isArray(changed)) throw invalidFields(changed);
  const { config, names, secrets } = changed;
  if (fetch === undefined) {
    const kept = current.fetch === undefined ? config : { ...config, fetch: current.fetch };
    return { config: kept, isFetched: current.fetch !== undefined, names, secrets };
  }
  if (fetch === null) return { config, isFetched: false, names: [...names, FETCH_AUTH_SECRET], secrets };
  const fetched = acceptedFetch(checkUrl, changeFetch({}, { ...fetch, auth: fetch.auth ?? null }, '/fetch'));
  return {
    config: { ...config, fetch: fetched.config },
    isFetched: true,
    names: [...names, ...fetched.names],
    secrets: [...secrets, ...fetched.secrets],
  };
}

function acceptedFetch(checkUrl: CheckUrl, changed: ReturnType<typeof changeFetch>): ChangedFetch {
  if (Array.isArray(changed)) throw invalidFields(changed);
  const { url, auth } = changed.config;
  checkUrl(url, 'URL of the source');
  if (auth?.type === 'oauth2') checkUrl(auth.tokenUrl, 'token URL');
  return changed;
}
