// A webhook source's configuration as it comes from outside: put together with what is stored, and checked as a whole.
import type { EndpointFilter } from '../core/endpoint.ts';
import { type FieldError, TidingsError } from '../core/errors.ts';
import { CHANNEL_PATTERN, MAX_CHANNELS } from '../core/event.ts';
import { checkFilter } from '../core/filter.ts';
import { headerNameFault, headerValueFault } from '../core/request-header.ts';
import { type SourceSecret, WEBHOOK_SECRET } from '../core/source.ts';
import { changeTransformation, checkTransformation } from '../core/transformation.ts';
import { configureProvider, secretProblem } from './configure-provider.ts';
import type { Provider } from './provider.ts';
import { findProvider } from './provider-table.ts';
import { optionSecretName, type WebhookConfig } from './webhook-config.ts';

/** What is absent stays; null is the default. */
export interface WebhookInput {
  description?: string | undefined;
  secrets?: string[] | undefined;
  /** In place of a list of one. */
  secret?: string | undefined;
  options?: Record<string, string> | undefined;
  filter?: EndpointFilter | null | undefined;
  transform?: string | null | undefined;
  channels?: string[] | undefined;
  deduplicateSeconds?: number | null | undefined;
  rate?: { perSecond: number } | null | undefined;
  response?:
    | { status: number; headers?: Record<string, string> | undefined; body?: string | undefined }
    | null
    | undefined;
  capture?: boolean | undefined;
}

export interface ChangedWebhook {
  config: WebhookConfig;
  /** The names of the secrets that are replaced, and what by. */
  names: string[];
  secrets: SourceSecret[];
}

export const MAX_SOURCE_SECRETS = 5;

/** The changed configuration, or what is wrong with it, with paths into the input. */
export function changeWebhook(
  current: WebhookConfig,
  defaults: Omit<WebhookConfig, 'provider'>,
  input: WebhookInput,
): ChangedWebhook | FieldError[] {
  const provider = readProvider(current.provider, input.options ?? null);
  if (Array.isArray(provider)) return provider;
  const errors: FieldError[] = [
    ...checkSecrets(input, provider),
    ...checkFilter(input.filter ?? {}),
    ...(input.transform == null ? [] : checkTransformation(input.transform, '/transform')),
    ...checkChannels(input.channels ?? []),
    ...checkResponse(input.response ?? null),
  ];
  if (errors.length > 0) return errors;
  const { filter, transform, deduplicateSeconds, rate, response, options } = input;
  const secretOptions = (provider.options ?? []).filter(({ secret }) => secret === true).map(({ name }) => name);
  const given = Object.entries(options ?? {});
  const config: WebhookConfig = {
    provider: provider.id,
    description: input.description ?? current.description,
    options:
      options === undefined
        ? current.options
        : Object.fromEntries(given.filter(([name]) => !secretOptions.includes(name))),
    filter: filter === undefined ? current.filter : (filter ?? defaults.filter),
    transform: transform === undefined ? current.transform : changeTransformation(current.transform, transform),
    channels: input.channels ?? current.channels,
    deduplicateSeconds:
      deduplicateSeconds === undefined
        ? current.deduplicateSeconds
        : (deduplicateSeconds ?? defaults.deduplicateSeconds),
    ratePerSecond: rate === undefined ? current.ratePerSecond : (rate?.perSecond ?? null),
    response:
      response === undefined
        ? current.response
        : response && { ...response, headers: response.headers ?? {}, body: response.body ?? '' },
    capture: input.capture ?? current.capture,
  };
  const givenSecrets = input.secret === undefined ? input.secrets : [input.secret];
  const secrets: SourceSecret[] = (givenSecrets ?? []).map((secret) => ({ name: WEBHOOK_SECRET, secret }));
  for (const [name, secret] of given) {
    if (secretOptions.includes(name)) secrets.push({ name: optionSecretName(name), secret });
  }
  const names = [
    ...(givenSecrets === undefined ? [] : [WEBHOOK_SECRET]),
    ...(options === undefined ? [] : secretOptions.map(optionSecretName)),
  ];
  return { config, names, secrets };
}

/** The provider with the options, where they are given, or what is wrong with it. */
function readProvider(id: string, options: Record<string, string> | null): Provider | FieldError[] {
  const provider = findProvider(id);
  if (provider !== null && options === null) return provider;
  try {
    return configureProvider(id, options ?? {});
  } catch (error) {
    if (error instanceof TidingsError && error.errors !== undefined) return [...error.errors];
    throw error;
  }
}

/** What is wrong with a secret that comes to `kept` others. */
export function checkNewSecret(secret: string, { provider, kept }: { provider: string; kept: number }): FieldError[] {
  if (kept >= MAX_SOURCE_SECRETS) {
    const message = `A source has at most ${MAX_SOURCE_SECRETS} secrets at a time. Wait until the grace of one is over, or give graceSeconds 0.`;
    return [{ path: '/graceSeconds', message }];
  }
  const known = readProvider(provider, null);
  if (Array.isArray(known)) return known;
  const message = secretProblem(known, secret);
  return message === null ? [] : [{ path: '/secret', message }];
}

function checkSecrets({ secret, secrets }: WebhookInput, provider: Provider): FieldError[] {
  const at = (path: string, given: string): FieldError[] => {
    const message = secretProblem(provider, given);
    return message === null ? [] : [{ path, message }];
  };
  if (secret === undefined) return (secrets ?? []).flatMap((given, i) => at(`/secrets/${i}`, given));
  if (secrets !== undefined) return [{ path: '/secret', message: 'Give `secret` or `secrets`, not both.' }];
  return at('/secret', secret);
}

export function checkChannels(channels: string[]): FieldError[] {
  if (channels.length > MAX_CHANNELS) {
    return [{ path: '/channels', message: `An event has at most ${MAX_CHANNELS} channels.` }];
  }
  return channels.flatMap((channel, i) =>
    CHANNEL_PATTERN.test(channel)
      ? []
      : [{ path: `/channels/${i}`, message: 'A channel has 1 to 128 of the characters A-Z a-z 0-9 . _ : / and -.' }],
  );
}

// The type may be chosen here: it is of the answer, not of the request.
function checkResponse(response: WebhookInput['response']): FieldError[] {
  return Object.entries(response?.headers ?? {}).flatMap(([name, value]) => {
    const fault = (name.toLowerCase() === 'content-type' ? null : headerNameFault(name)) ?? headerValueFault(value);
    return fault === null
      ? []
      : [{ path: `/response/headers/${name}`, message: `The header ${JSON.stringify(name)} ${fault}` }];
  });
}
