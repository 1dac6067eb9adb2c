// Endpoints as the API shows and takes them. The shapes are here; what the values may be is core/endpoint-config.ts.
import { z } from 'zod';
import {
  DISABLED_REASONS,
  ENDPOINT_MODES,
  ENDPOINT_ORDERS,
  ENDPOINT_STATES,
  type Endpoint,
  type EndpointState,
  ON_EXHAUSTED,
} from '../core/endpoint.ts';
import { DEFAULT_BATCH_WAIT_MS } from '../core/endpoint-config.ts';
import { AuthInputSchema, AuthSchema } from './auth-json.ts';
import type { Engine } from './engine.ts';
import { FilterSchema, StoredFilterSchema } from './filter-json.ts';
import { FormatInputSchema, FormatSchema } from './format-json.ts';
import { SigningInputSchema, SigningSchema } from './signing-json.ts';
import { Time, Uid } from './text.ts';

const Retry = z
  .strictObject({
    delaysSeconds: z.array(z.number()).describe('The delay before each further attempt; [] = never retry.'),
  })
  .meta({ id: 'EndpointRetry' });

const RATE_MEMBERS = { perSecond: z.number().describe('0.01 to 100,000; below 1: less than one a second.') };
const Rate = z.strictObject(RATE_MEMBERS).meta({ id: 'EndpointRate' });

const MAX_EVENTS = z.int().describe('As soon as so many wait they are sent: 2 to 1,000.');
const Batch = z
  .strictObject({
    maxEvents: MAX_EVENTS,
    maxWaitMs: z
      .int()
      .optional()
      .describe(`As soon as the first has waited so long: 0 to 60,000; ${DEFAULT_BATCH_WAIT_MS} if absent.`),
  })
  .meta({ id: 'EndpointBatch' });

const ORDER = z
  .enum(ENDPOINT_ORDERS)
  .describe(
    '`none` (default): several events are under way at once, and a failed one does not hold up the others. `strict`: one at a time in the order of the log; a failed event is tried again before the next is sent.',
  );
const AFTER_EXHAUSTION = z
  .enum(ON_EXHAUSTED)
  .describe(
    'Under strict order, what happens when an event has used up its retry schedule: `skip` (default) gives it up and goes on; `block` keeps trying it, and the others wait. Without effect on any other order.',
  );

const MODE = z
  .enum(ENDPOINT_MODES)
  .describe(
    '`push` (default): events are sent. `pull`: nothing is sent; the events wait to be fetched by `GET …/events`, and `POST …/commit` moves the cursor. It can be changed at any time, and the cursor stays.',
  );

export const EndpointSchema = z
  .object({
    id: z.string(),
    uid: z.string().nullable(),
    url: z.string(),
    description: z.string(),
    filter: StoredFilterSchema,
    transform: z.string().nullable().describe('JavaScript that each event goes through; null = none.'),
    transformVersion: z.int().describe('Raised by each new code; 0 = there never was any.'),
    format: FormatSchema,
    headers: z.record(z.string(), z.string()),
    signing: SigningSchema,
    auth: AuthSchema.nullable().describe('How Tidings proves who calls, without the secrets; null = not at all.'),
    retry: z
      .object({ delaysSeconds: z.array(z.number()) })
      .nullable()
      .describe('null = the default schedule.'),
    maxConcurrency: z.int(),
    timeoutMs: z.int(),
    disableAfterSeconds: z.int(),
    rate: z.object(RATE_MEMBERS).nullable().describe('Requests a second, at most; null = no limit.'),
    order: ORDER,
    onExhausted: AFTER_EXHAUSTION,
    batch: z
      .object({ maxEvents: z.int(), maxWaitMs: z.int() })
      .nullable()
      .describe('Several events in one request; null = each is sent alone.'),
    mode: MODE,
    state: z.enum(ENDPOINT_STATES),
    disabledReason: z.enum(DISABLED_REASONS).nullable(),
    pausedAt: Time.nullable(),
    disabledAt: Time.nullable(),
    createdAt: Time,
    updatedAt: Time,
  })
  .meta({ id: 'Endpoint', description: "A URL that is sent the app's events that match its filter." });

const SECRET = z
  .string()
  .describe(
    'Your own signing secret, in the form of the scheme: `whsec_…` for v1, `whsk_…` for v1a, any text of 16 to 512 bytes for github and stripe. One is made if absent.',
  );

const SETTINGS = {
  uid: Uid.nullish(),
  description: z.string().nullish(),
  filter: FilterSchema.nullish(),
  transform: z
    .string()
    .nullish()
    .describe(
      'JavaScript whose default export is a function of the event: it returns the event, changed or not, a request in its place, or null for nothing to be sent. null or absent = none.',
    ),
  format: FormatInputSchema.nullish(),
  headers: z.record(z.string(), z.string()).nullish().describe('Sent with every attempt.'),
  signing: SigningInputSchema.nullish(),
  auth: AuthInputSchema.nullish(),
  retry: Retry.nullish().describe('null or absent = the default schedule.'),
  maxConcurrency: z.int().nullish().describe('The most attempts that may be open at once.'),
  timeoutMs: z.int().nullish().describe('Total deadline of one attempt.'),
  disableAfterSeconds: z.int().nullish().describe('Disabled after failing for so long.'),
  rate: Rate.nullish().describe('Requests a second, at most; null or absent = no limit. A batch counts as one.'),
  order: ORDER.nullish(),
  onExhausted: AFTER_EXHAUSTION.nullish(),
  batch: Batch.nullish().describe('Several events in one request, for floods; null or absent = each is sent alone.'),
  mode: MODE.nullish(),
};

export const NewEndpointSchema = z
  .strictObject({
    url: z.string(),
    ...SETTINGS,
    secret: SECRET.optional(),
    start: z
      .union([z.enum(['now', 'oldest']), z.strictObject({ cursor: z.string() })])
      .optional()
      .describe('Which events it begins with: those to come (default), all that are kept, or those after a cursor.'),
  })
  .meta({ id: 'NewEndpoint' });

export const EndpointChangeSchema = z
  .strictObject({
    url: z.string().optional(),
    ...SETTINGS,
    secret: SECRET.optional().describe(
      'A secret for the signing that is given: it takes the place of those there are, at once. Without a change of `signing`, rotate instead.',
    ),
  })
  .meta({
    id: 'EndpointChange',
    description:
      'What is absent stays, null is the default. Filter, format, headers, signing, auth, retry delays, rate and batch are replaced as a whole. When the new signing takes secrets of another form, a new one is made unless it is given.',
  });

/** Paused only when the owner of the lane has confirmed that nothing is open. */
export async function stateOf(endpoint: Endpoint, engine: Engine): Promise<EndpointState> {
  if (endpoint.config.mode === 'pull') return 'pull';
  if (endpoint.disabledAt !== null) return 'disabled';
  if (endpoint.pausedAt === null) return 'active';
  return (await engine.isPausing(endpoint)) ? 'pausing' : 'paused';
}

export async function renderEndpoint(endpoint: Endpoint, engine: Engine): Promise<z.infer<typeof EndpointSchema>> {
  const { config } = endpoint;
  return {
    id: endpoint.id,
    uid: endpoint.uid,
    url: config.url,
    description: config.description,
    filter: config.filter,
    transform: config.transformation.code,
    transformVersion: config.transformation.version,
    format: config.format,
    headers: config.headers,
    signing: config.signing,
    auth: config.auth,
    retry: config.retryDelaysSeconds === null ? null : { delaysSeconds: config.retryDelaysSeconds },
    maxConcurrency: config.maxConcurrency,
    timeoutMs: config.timeoutMs,
    disableAfterSeconds: config.disableAfterSeconds,
    rate: config.rate,
    order: config.order,
    onExhausted: config.onExhausted,
    batch: config.batch,
    mode: config.mode,
    state: await stateOf(endpoint, engine),
    disabledReason: endpoint.disabledReason,
    pausedAt: endpoint.pausedAt?.toISOString() ?? null,
    disabledAt: endpoint.disabledAt?.toISOString() ?? null,
    createdAt: endpoint.createdAt.toISOString(),
    updatedAt: endpoint.updatedAt.toISOString(),
  };
}
