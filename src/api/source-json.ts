// Sources as the API shows and takes them.
import { z } from 'zod';
import { type Source, WEBHOOK_SECRET } from '../core/source.ts';
import { NO_TRANSFORMATION, type Transformation } from '../core/transformation.ts';
import { MAX_SOURCE_SECRETS } from '../inbound/change-webhook.ts';
import { FETCH_MEMBERS, type FetchConfig } from '../inbound/fetch/fetch-config.ts';
import { WEBHOOK_DEFAULTS, type WebhookConfig } from '../inbound/webhook-config.ts';
import { FETCH_CHANGE_MEMBERS, FETCH_SHOWN_MEMBERS, FetchSchema, FetchShownSchema } from './fetch-json.ts';
import { FilterSchema, StoredFilterSchema } from './filter-json.ts';
import { Time, text, Uid } from './text.ts';

const MAX_DEDUPLICATE_SECONDS = 30 * 24 * 3600;
const MAX_GRACE_SECONDS = 30 * 24 * 3600;
const MAX_RATE = 100_000;
const MAX_RESPONSE_BODY_CHARS = 65_536;

const Response = z
  .strictObject({
    status: z.int().min(200).max(599),
    headers: z.record(z.string(), z.string()).optional(),
    body: text({ max: MAX_RESPONSE_BODY_CHARS }).optional(),
  })
  .meta({ id: 'SourceResponse' });

const WEBHOOK_MEMBERS = {
  uid: Uid.nullish(),
  description: text({ max: 1024 }).optional(),
  secrets: z
    .array(text({ min: 1, max: 8192 }))
    .max(MAX_SOURCE_SECRETS)
    .optional()
    .describe(
      'What the provider signs with, or shows; any of them is good. They replace those before and are never shown. To rotate: POST …/secret/rotate.',
    ),
  secret: text({ min: 1, max: 8192 }).optional().describe('The one secret there is, in place of a list in `secrets`.'),
  options: z
    .record(z.string(), text({ max: 2048 }))
    .optional()
    .describe('What the provider needs besides; docs/reference/providers.md names them.'),
  filter: FilterSchema.nullish().describe(
    'Only what matches becomes an event; the rest is acknowledged and forgotten.',
  ),
  channels: z.array(z.string()).optional().describe('The channels that its events get.'),
  deduplicateSeconds: z
    .int()
    .min(0)
    .max(MAX_DEDUPLICATE_SECONDS)
    .nullish()
    .describe(
      `For how long an event is known, by the provider's id or else by its body, and acknowledged without becoming a second one; ${WEBHOOK_DEFAULTS.deduplicateSeconds} if absent, 0 = no event is a duplicate.`,
    ),
  rate: z
    .strictObject({ perSecond: z.number().min(0.01).max(MAX_RATE) })
    .nullish()
    .describe('Events that each process takes of it, at most; beyond that 429.'),
  response: Response.nullish().describe('Answered once an event is stored, in place of what the provider wants.'),
  capture: z
    .boolean()
    .optional()
    .describe('Keep every request to be looked at for a while, not only those that are refused.'),
};

const TRANSFORM_MEMBER = {
  transform: z
    .string()
    .nullish()
    .describe(
      'JavaScript that what passes the filter goes through before it is stored: `export default (event) => event`, or null to leave it out; null for none.',
    ),
};

const SHOWN_TRANSFORM = {
  transform: z
    .string()
    .nullable()
    .describe('JavaScript that each event goes through before it is stored; null = none.'),
  transformVersion: z.int().describe('Raised by each new code; 0 = there never was any.'),
};

const FETCHED =
  'What is fetched behind the webhooks, so that a lost one is found: an item whose key is the id of an event that has come is not told again. Replaced as a whole.';

const NewWebhookSource = z
  .strictObject({
    kind: z.literal('webhook'),
    provider: z.string().max(64).describe('Such as `github`; docs/reference/providers.md lists them.'),
    ...WEBHOOK_MEMBERS,
    ...TRANSFORM_MEMBER,
    fetch: FetchSchema.optional().describe(FETCHED),
  })
  .meta({ id: 'NewWebhookSource' });

const NewFetchSource = z
  .strictObject({
    kind: z.literal('fetch'),
    uid: WEBHOOK_MEMBERS.uid,
    description: WEBHOOK_MEMBERS.description,
    channels: WEBHOOK_MEMBERS.channels,
    ...TRANSFORM_MEMBER,
    ...FETCH_MEMBERS,
  })
  .meta({ id: 'NewFetchSource' });

export const NewSourceSchema = z
  .discriminatedUnion('kind', [NewWebhookSource, NewFetchSource])
  .meta({ id: 'NewSource' });

export const SourceChangeSchema = z
  .strictObject({
    ...WEBHOOK_MEMBERS,
    ...TRANSFORM_MEMBER,
    fetch: FetchSchema.nullish().describe(FETCHED),
    ...FETCH_CHANGE_MEMBERS,
    paused: z
      .boolean()
      .optional()
      .describe('A paused source stores nothing; its provider is told to come again, and nothing is fetched.'),
  })
  .describe(
    'What is absent stays, null is the default. `fetch` and what goes before it is of sources with webhooks, what follows of those that are only fetched. Lists, options, filter and response are replaced as a whole.',
  )
  .meta({ id: 'SourceChange' });

export const SourceRotationSchema = z
  .strictObject({
    secret: text({ min: 1, max: 8192 }).describe('The new secret.'),
    graceSeconds: z
      .int()
      .min(0)
      .max(MAX_GRACE_SECONDS)
      .optional()
      .describe('How long the secrets before are good beside it: a day, if absent; 0 ends them at once.'),
  })
  .meta({ id: 'SourceSecretRotation' });

const COMMON = {
  id: z.string(),
  uid: z.string().nullable(),
  state: z.enum(['active', 'paused', 'disabled']),
  reason: z.string().nullable().describe('Why it is disabled.'),
  createdAt: Time,
  updatedAt: Time,
};

const WebhookSourceSchema = z
  .object({
    kind: z.literal('webhook'),
    ...COMMON,
    provider: z.string(),
    path: z.string().describe("Where the provider sends to: `/in/` and a token of the source's own."),
    description: z.string(),
    secrets: z.int().describe('How many are good now; they are not shown.'),
    options: z.record(z.string(), z.string()).describe('Without those that are secret.'),
    filter: StoredFilterSchema,
    ...SHOWN_TRANSFORM,
    channels: z.array(z.string()),
    deduplicateSeconds: z.int(),
    rate: z.object({ perSecond: z.number() }).nullable(),
    response: z.object({ status: z.int(), headers: z.record(z.string(), z.string()), body: z.string() }).nullable(),
    capture: z.boolean(),
    fetch: FetchShownSchema.optional(),
  })
  .meta({ id: 'WebhookSource' });

const FetchSourceSchema = z
  .object({
    kind: z.literal('fetch'),
    ...COMMON,
    description: z.string(),
    channels: z.array(z.string()),
    ...SHOWN_TRANSFORM,
    ...FETCH_SHOWN_MEMBERS,
  })
  .meta({ id: 'FetchSource' });

export const SourceSchema = z
  .discriminatedUnion('kind', [WebhookSourceSchema, FetchSourceSchema])
  .meta({ id: 'Source' });

export function renderSource(source: Source): z.infer<typeof SourceSchema> {
  const { id, uid, pausedAt, disabledAt, disabledReason, createdAt, updatedAt } = source;
  const common = {
    id,
    uid,
    state: pausedAt !== null ? 'paused' : disabledAt !== null ? 'disabled' : 'active',
    reason: disabledReason,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  } as const;
  if (source.kind === 'fetch') {
    const { fetch, transform, ...rest } = fetchSourceConfig(source);
    return { kind: 'fetch', ...common, ...rest, ...renderTransform(transform), ...fetch };
  }
  const { ratePerSecond, transform, ...config } = webhookConfig(source);
  return {
    kind: 'webhook',
    ...common,
    ...config,
    ...renderTransform(transform),
    path: `/in/${source.token}`,
    secrets: source.secretNames.filter((name) => name === WEBHOOK_SECRET).length,
    rate: ratePerSecond === null ? null : { perSecond: ratePerSecond },
  };
}

function renderTransform({ code, version }: Transformation): { transform: string | null; transformVersion: number } {
  return { transform: code, transformVersion: version };
}

export function webhookConfig({ config }: Pick<Source, 'config'>): WebhookConfig {
  return { ...WEBHOOK_DEFAULTS, ...(config as Partial<WebhookConfig> & Pick<WebhookConfig, 'provider'>) };
}

/** As a source that is only fetched is stored. */
export interface FetchSourceConfig {
  description: string;
  channels: string[];
  transform: Transformation;
  fetch: FetchConfig;
}

export function fetchSourceConfig({ config }: Pick<Source, 'config'>): FetchSourceConfig {
  return {
    description: '',
    channels: [],
    transform: NO_TRANSFORMATION,
    ...(config as Partial<FetchSourceConfig> & Pick<FetchSourceConfig, 'fetch'>),
  };
}
