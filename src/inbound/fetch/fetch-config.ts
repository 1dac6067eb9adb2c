// How an API that has no webhooks is fetched: the shape as the API takes and shows it, and as it is stored. What is secret of it is taken out
// before it is stored, and sealed.
import { Cron } from 'croner';
import { z } from 'zod';
import type { FieldError } from '../../core/errors.ts';
import { headerNameFault, headerValueFault } from '../../core/request-header.ts';
import { parseTime } from '../../core/time.ts';
import { durationMs } from './duration.ts';
import { pathFault } from './item-path.ts';
import { placeholdersOf, REQUEST_PLACEHOLDERS } from './template.ts';

export const FETCH_FORMATS = ['auto', 'json', 'ndjson', 'csv', 'xml', 'feed'] as const;
export type FetchFormat = (typeof FETCH_FORMATS)[number];

const Duration = z.string().regex(/^[1-9]\d{0,6}[smhd]$/, 'Write a duration like 30s, 5m, 2h or 1d.');
const Path = z.string().max(500);

const Auth = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('basic'), username: z.string().max(1000), password: z.string().max(4096) }),
    z.strictObject({ type: z.literal('bearer'), token: z.string().min(1).max(4096) }),
    z.strictObject({ type: z.literal('header'), name: z.string().max(256), value: z.string().max(4096) }),
    z.strictObject({ type: z.literal('query'), name: z.string().min(1).max(256), value: z.string().min(1).max(4096) }),
    z.strictObject({
      type: z.literal('oauth2'),
      tokenUrl: z.string().max(2048),
      clientId: z.string().min(1).max(1000),
      clientSecret: z.string().max(4096),
      refreshToken: z
        .string()
        .max(4096)
        .optional()
        .describe('With it the grant is `refresh_token`, without it `client_credentials`.'),
      scope: z.string().max(1000).optional(),
      clientAuthentication: z
        .enum(['basic', 'body'])
        .optional()
        .describe('How id and secret are given to the token endpoint; `basic` if absent.'),
    }),
  ])
  .meta({ id: 'FetchAuth', description: 'What is secret of it is sealed, and never shown again.' });

const Pages = z
  .strictObject({
    by: z
      .enum(['link', 'nextUrl', 'cursor', 'page', 'offset'])
      .describe(
        '`link`: the `Link` header with rel="next". `nextUrl`: a URL in the body at `path`. `cursor`: a value in the body at `path`, sent as `param`. `page`: 1, 2, 3 … as `param`. `offset`: the number of items so far as `param`.',
      ),
    path: Path.optional(),
    param: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe('The query parameter; or write `{page}` into `url` or `body`.'),
    first: z.int().min(0).optional().describe('The number of the first page (1) or offset (0).'),
    size: z.int().min(1).optional().describe('A page with fewer items is the last; without it an empty one is.'),
    max: z.int().min(1).max(1000).optional().describe('At most so many pages in one run; 20 if absent.'),
  })
  .meta({ id: 'FetchPages' });

const Changes = z
  .discriminatedUnion('by', [
    z.strictObject({ by: z.literal('id') }).describe('Each `key` is told once.'),
    z
      .strictObject({ by: z.literal('version'), path: Path.optional() })
      .describe('Told again when the value at `path` differs, or the whole item if absent.'),
    z
      .strictObject({ by: z.literal('time'), overlap: Duration.optional() })
      .describe(
        'The greatest `time` seen is `{since}` in the next run, less the overlap (5m if absent); what lies in it is told only once.',
      ),
    z
      .strictObject({ by: z.literal('cursor'), path: Path.optional(), header: z.string().max(256).optional() })
      .describe(
        'What the answer has at `path` or in `header` is `{cursor}` in the next run; every item is told, with a `key` only if it is new or differs.',
      ),
    z
      .strictObject({ by: z.literal('snapshot'), minShare: z.number().min(0).max(1).optional() })
      .describe(
        'The answer is the whole collection: what is new, differs or is gone is told. With fewer items than `minShare` (0.5) of last time nothing is told: see the guide.',
      ),
    z.strictObject({ by: z.literal('document') }).describe('The whole answer is one item, told when it differs.'),
  ])
  .meta({ id: 'FetchChanges' });

const Start = z
  .union([
    z.literal('skip').describe('What is there at the first run is not told.'),
    z.literal('all').describe('All of it is told.'),
    z.strictObject({ last: z.int().min(1).max(50_000) }).describe('The last so many are told.'),
    z.strictObject({ since: z.string() }).describe('Those with a `time` from then on are told (RFC 3339).'),
  ])
  .meta({ id: 'FetchStart' });

export const FETCH_MEMBERS = {
  url: z
    .string()
    .min(1)
    .max(4096)
    .describe('May hold `{since}`, `{sinceSeconds}`, `{sinceMs}`, `{cursor}` and `{page}`.'),
  method: z.enum(['GET', 'POST']).optional(),
  headers: z.record(z.string(), z.string().max(8192)).optional(),
  body: z.string().max(65_536).optional().describe('With POST; may hold what `url` may.'),
  auth: Auth.optional(),
  every: Duration.optional().describe('`30s`, `5m`, `2h`, `1d`; 5m if absent, 10s at least.'),
  slowest: Duration.optional().describe('While nothing is new the interval grows up to this.'),
  cron: z.string().max(200).optional().describe('In place of `every`: five or six fields.'),
  timeZone: z.string().max(64).optional().describe('Of `cron`; UTC if absent.'),
  format: z.enum(FETCH_FORMATS).optional().describe('`auto` (default) goes by the content type. `feed`: RSS or Atom.'),
  items: Path.optional().describe(
    'Where the items are, such as `data.orders` or `results[*].order`; the root if absent.',
  ),
  key: z
    .union([Path, z.array(Path).min(1).max(5)])
    .optional()
    .describe('Where an item has what it is known by, such as `id`.'),
  time: Path.optional().describe("Where an item has its time; it becomes the event's."),
  order: z.enum(['oldest', 'newest']).optional().describe('Which item comes first, where there is no `time`.'),
  type: z
    .string()
    .max(128)
    .optional()
    .describe('The type of the events, such as `order.{change}` or `{kind}.changed`; `item.{change}` if absent.'),
  pages: Pages.optional(),
  changes: Changes.optional(),
  start: Start.optional(),
  timeoutMs: z.int().min(1000).max(120_000).optional().describe('Of one request; 30,000 if absent.'),
};

const FetchInput = z.strictObject(FETCH_MEMBERS);
export type FetchConfig = z.infer<typeof FetchInput>;
export type FetchAuth = NonNullable<FetchConfig['auth']>;
export type FetchPages = NonNullable<FetchConfig['pages']>;
export type FetchChanges = NonNullable<FetchConfig['changes']>;

export const MIN_EVERY_MS = 10_000;
export const DEFAULT_EVERY = '5m';
const MAX_HEADERS = 32;
const FREE_HEADERS = /^(content-type|user-agent)$/i;
const OWN_HEADERS =
  /^(host|content-length|connection|transfer-encoding|accept-encoding|if-none-match|if-modified-since)$/i;

/** How changes are found: as configured, or what the other members suggest. */
export function changesOf(config: FetchConfig): FetchChanges {
  if (config.changes !== undefined) return config.changes;
  return keysOf(config).length > 0 || config.format === 'feed' ? { by: 'id' } : { by: 'document' };
}

export function keysOf({ key }: FetchConfig): readonly string[] {
  return key === undefined ? [] : typeof key === 'string' ? [key] : key;
}

/** What is wrong with a configuration that has the right shape; empty when it can be used. The address of `url` is the guard's to judge. */
export function checkFetchConfig(config: FetchConfig, at = ''): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (path: string, message: string): void => void errors.push({ path: `${at}/${path}`, message });
  checkPaths(config, refuse);
  checkRequest(config, refuse);
  checkSchedule(config, refuse);
  const changes = changesOf(config);
  const hasKey = keysOf(config).length > 0 || config.format === 'feed';
  if (!hasKey && changes.by !== 'document' && changes.by !== 'cursor') {
    refuse('key', `To find changes by ${changes.by} the items need a key, such as "id".`);
  }
  if (changes.by === 'time' && config.time === undefined && config.format !== 'feed') {
    refuse('time', 'To find changes by time the items need a time, such as "updated_at".');
  }
  if (changes.by === 'cursor' && (changes.path === undefined) === (changes.header === undefined)) {
    refuse('changes', 'Say where the answer has the cursor: give either path or header.');
  }
  if (typeof config.start === 'object' && 'since' in config.start) {
    if (parseTime(config.start.since) === null) refuse('start/since', 'Write the time like 2026-11-21T10:00:00Z.');
    if (config.time === undefined && config.format !== 'feed')
      refuse('start', 'To start by time the items need a time.');
  }
  return errors;
}

type Refuse = (path: string, message: string) => void;

function checkPaths(config: FetchConfig, refuse: Refuse): void {
  const { changes, pages } = config;
  const paths: [string, string | undefined][] = [
    ['items', config.items],
    ['time', config.time],
    ...keysOf(config).map((path): [string, string] => ['key', path]),
    ['pages/path', pages?.path],
    ['changes/path', changes !== undefined && 'path' in changes ? changes.path : undefined],
  ];
  for (const [name, path] of paths) {
    const fault = path === undefined ? null : pathFault(path);
    if (fault !== null) refuse(name, fault);
  }
  if (pages === undefined) return;
  const needsPath = pages.by === 'cursor' || pages.by === 'nextUrl';
  if (needsPath !== (pages.path !== undefined)) {
    refuse('pages/path', needsPath ? 'Say where the body has it.' : `Pages by ${pages.by} have no path.`);
  }
  const needsParam = pages.by === 'cursor' || pages.by === 'page' || pages.by === 'offset';
  const isPlaced = [config.url, config.body ?? ''].some((text) => placeholdersOf(text).includes('page'));
  if (needsParam && pages.param === undefined && !isPlaced) {
    refuse('pages/param', 'Name the query parameter, or write {page} into the url or the body.');
  }
}

function checkRequest(config: FetchConfig, refuse: Refuse): void {
  const unknown = placeholdersOf(config.url).find((key) => !REQUEST_PLACEHOLDERS.includes(key));
  if (unknown !== undefined) {
    refuse('url', `{${unknown}} is unknown. There are ${REQUEST_PLACEHOLDERS.map((key) => `{${key}}`).join(', ')}.`);
  }
  const origin = /^[^/?#]*\/\/[^/?#]*/.exec(config.url)?.[0] ?? '';
  if (placeholdersOf(origin).length > 0) refuse('url', 'Scheme, host and port are fixed: write places after them.');
  if (config.body !== undefined && config.method !== 'POST')
    refuse('body', 'A body is sent with the method POST only.');
  const headers = Object.entries(config.headers ?? {});
  if (headers.length > MAX_HEADERS) refuse('headers', `Give at most ${MAX_HEADERS} headers.`);
  for (const [name, value] of headers) checkHeader(name, value, `headers/${name}`, refuse);
  const { auth } = config;
  if (auth?.type === 'header') checkHeader(auth.name, auth.value, 'auth', refuse);
  if (auth?.type === 'bearer' && headerValueFault(auth.token) !== null)
    refuse('auth/token', 'It cannot be sent in a header.');
}

function checkHeader(name: string, value: string, path: string, refuse: Refuse): void {
  const nameFault = FREE_HEADERS.test(name) ? null : headerNameFault(name);
  const fault = nameFault ?? headerValueFault(value);
  if (fault !== null) refuse(path, `The header ${name} ${fault}`);
  else if (OWN_HEADERS.test(name)) refuse(path, `The header ${name} is set by Tidings.`);
}

function checkSchedule(config: FetchConfig, refuse: Refuse): void {
  const { every, slowest, cron, timeZone } = config;
  if (every !== undefined && cron !== undefined) refuse('cron', 'Give either every or cron.');
  if (every !== undefined && durationMs(every) < MIN_EVERY_MS) refuse('every', 'Every 10s is the most often.');
  if (slowest !== undefined && durationMs(slowest) < durationMs(every ?? DEFAULT_EVERY)) {
    refuse('slowest', 'It must not be shorter than every.');
  }
  if (slowest !== undefined && cron !== undefined) refuse('slowest', 'It goes with every, not with cron.');
  if (cron === undefined) {
    if (timeZone !== undefined) refuse('timeZone', 'It goes with cron.');
    return;
  }
  try {
    new Cron(cron, { timezone: timeZone ?? 'UTC', paused: true }).nextRun(new Date(0));
  } catch (error) {
    refuse('cron', `It cannot be read: ${(error as Error).message}`);
  }
}
