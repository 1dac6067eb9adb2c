// The options, once: what the command line's help, the start-up print and docs/reference/config.md say comes from this
// table, and nothing else reads the environment. A value is taken from the flag, else the variable, else the default.
import { isIP } from 'node:net';
import { parseFailpoints } from '../core/failpoint.ts';
import { isRole, ROLES, type Role } from '../core/role.ts';
import { parseMasterKey } from '../core/secret-box.ts';
import { IDEMPOTENCY_HOURS } from '../storage/idempotency-keys.ts';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What an option's text becomes. */
interface Kinds {
  text: string;
  secret: string;
  /** http or https, without a slash at its end. */
  url: string;
  integer: number;
  bytes: number;
  /** 0 = for ever. */
  days: number;
  switch: boolean;
  cidrs: string[];
  roles: readonly Role[];
  logLevel: LogLevel;
  /** As core/failpoint.ts reads it. */
  failpoints: string;
}

interface OptionRow {
  key: string;
  /** The environment variable. */
  env: string;
  /** As commander takes it. Secrets have none: a command line is seen by every user of the machine. */
  flag: string | null;
  kind: keyof Kinds;
  /** Null = not set. */
  default: Kinds[keyof Kinds] | null;
  unit: string | null;
  /** Inclusive; for numbers. */
  range?: readonly [least: number, most: number];
  doc: string;
}

export const OPTIONS = [
  {
    key: 'port',
    env: 'TIDINGS_PORT',
    flag: '--port <number>',
    kind: 'integer',
    default: 8420,
    unit: null,
    range: [0, 65_535],
    doc: 'TCP port of the HTTP API. 0 takes a free one, which the start-up print names.',
  },
  {
    key: 'host',
    env: 'TIDINGS_HOST',
    flag: '--host <address>',
    kind: 'text',
    default: '127.0.0.1',
    unit: null,
    doc: 'Address to listen on. The default is reached from this machine only; 0.0.0.0 or :: opens the API to the network, so put TLS in front of it.',
  },
  {
    key: 'dataFolder',
    env: 'TIDINGS_DATA',
    flag: '--data <folder>',
    kind: 'text',
    default: './.tidings',
    unit: null,
    doc: 'Folder of the embedded Postgres server, its master key and the admin key of `tidings dev`. Everything that is stored is in it: back it up whole.',
  },
  {
    key: 'databaseUrl',
    env: 'DATABASE_URL',
    flag: null,
    kind: 'secret',
    default: null,
    unit: null,
    doc: 'A Postgres database (15 or later), as postgres://user:password@host:5432/name. Not set: the embedded server in the data folder.',
  },
  {
    key: 'masterKey',
    env: 'TIDINGS_MASTER_KEY',
    flag: null,
    kind: 'secret',
    default: null,
    unit: null,
    doc: 'The key that seals secrets at rest: 32 random bytes in base64 or hex, as `openssl rand -base64 32` prints. Must be given with DATABASE_URL; for the embedded server it is made at the first start and kept in master.key in the data folder. Without it the stored secrets are lost.',
  },
  {
    key: 'allowHttp',
    env: 'TIDINGS_ALLOW_HTTP',
    flag: '--allow-http',
    kind: 'switch',
    default: false,
    unit: null,
    doc: 'Allow endpoint URLs with plain http. Bodies and signatures then cross the network in the clear: for development and private networks.',
  },
  {
    key: 'allowPrivate',
    env: 'TIDINGS_ALLOW_PRIVATE',
    flag: '--allow-private <cidr...>',
    kind: 'cidrs',
    default: [],
    unit: null,
    doc: 'Address ranges that endpoints may lead to although they are not public, such as 127.0.0.0/8; several are separated by commas. Whoever may create endpoints can reach what is in them: keep them narrow.',
  },
  {
    key: 'publicUrl',
    env: 'TIDINGS_PUBLIC_URL',
    flag: '--public-url <url>',
    kind: 'url',
    default: null,
    unit: null,
    doc: 'Where others reach this API, such as https://events.example.com: what the format `thin` tells receivers to fetch events from. Not set: no endpoint can have that format.',
  },
  {
    key: 'logLevel',
    env: 'TIDINGS_LOG_LEVEL',
    flag: '--log-level <level>',
    kind: 'logLevel',
    default: 'info',
    unit: null,
    doc: `Least level that is logged, of ${LOG_LEVELS.join(', ')}. Logs go to standard error. debug adds stack traces to errors and costs throughput.`,
  },
  {
    key: 'json',
    env: 'TIDINGS_JSON',
    flag: '--json',
    kind: 'switch',
    default: false,
    unit: null,
    doc: 'Print for programs: one line of JSON on standard output in place of text.',
  },
  {
    key: 'processes',
    env: 'TIDINGS_PROCESSES',
    flag: '--processes <number>',
    kind: 'integer',
    default: 0,
    unit: null,
    range: [0, 256],
    doc: 'Server processes on this machine, which share the port and the work. 0 leaves it to the command: `tidings dev` runs one, `tidings serve` one for every two cores, as Postgres and the kernel want the others. More uses more cores; each takes memory of its own and up to 15 connections to the database.',
  },
  {
    key: 'roles',
    env: 'TIDINGS_ROLES',
    flag: '--roles <list>',
    kind: 'roles',
    default: ROLES,
    unit: null,
    doc: `What the processes do, separated by commas: api answers the HTTP API, push sends to endpoints and fetches sources, inbound takes in events from outside. Between them the processes on a database must have every role that is used. Health and metrics are answered whatever the role.`,
  },
  {
    key: 'notify',
    env: 'TIDINGS_NOTIFY',
    flag: '--no-notify',
    kind: 'switch',
    default: true,
    unit: null,
    doc: 'Processes tell each other by LISTEN and NOTIFY of Postgres what has changed. Off, each finds it with its next poll, within a second, and the state of an endpoint that another process sends for is told as it was last written down. Needed only where the database is reached through a pooler that does not pass notifications on.',
  },
  {
    key: 'failingAlertSeconds',
    env: 'TIDINGS_FAILING_ALERT_SECONDS',
    flag: '--failing-alert-seconds <number>',
    kind: 'integer',
    default: 60,
    unit: 'seconds',
    range: [0, 86_400],
    doc: 'How long an endpoint has to be unreachable until the operational event endpoint.failing tells of it. Less tells sooner, and of outages that end by themselves.',
  },
  {
    key: 'lagAlertSeconds',
    env: 'TIDINGS_LAG_ALERT_SECONDS',
    flag: '--lag-alert-seconds <number>',
    kind: 'integer',
    default: 3600,
    unit: 'seconds',
    range: [0, 2_592_000],
    doc: 'How old the oldest event that an endpoint has not been sent, or a consumer has not committed, may get until the operational event endpoint.lagging or consumer.lagging tells of it, once until what waited is done. 0 tells only of what retention is about to drop.',
  },
  {
    key: 'drainSeconds',
    env: 'TIDINGS_DRAIN_SECONDS',
    flag: '--drain-seconds <number>',
    kind: 'integer',
    default: 10,
    unit: 'seconds',
    range: [0, 3600],
    doc: 'How long a stopping server lets open requests and attempts finish. More loses fewer attempts that are under way (they are made again at the next start), less stops sooner.',
  },
  {
    key: 'writerQueueBytes',
    env: 'TIDINGS_WRITER_QUEUE_BYTES',
    flag: '--writer-queue-bytes <size>',
    kind: 'bytes',
    default: 32 * 1024 * 1024,
    unit: 'bytes',
    range: [1024 * 1024, 4 * 1024 ** 3],
    doc: 'Bytes of events that may wait for their commit; beyond it publishers get 503 with Retry-After. More rides out longer stalls of the database and takes that much memory.',
  },
  {
    key: 'eventCacheBytes',
    env: 'TIDINGS_EVENT_CACHE_BYTES',
    flag: '--event-cache-bytes <size>',
    kind: 'bytes',
    default: 8 * 1024 * 1024,
    unit: 'bytes',
    range: [1024 * 1024, 16 * 1024 ** 3],
    doc: 'Bytes of recent events kept in memory for lanes and readers. More saves reads of the database where endpoints lag behind, and takes that much memory.',
  },
  {
    key: 'retainEventDays',
    env: 'TIDINGS_RETAIN_EVENTS',
    flag: '--retain-events <days>',
    kind: 'days',
    default: 30,
    unit: null,
    range: [1, 3650],
    doc: 'How long events are kept in the log, such as 30d, or forever. They go by whole days (UTC), up to a day later. What an endpoint has not been sent by then it loses: a day before, the operational event endpoint.lagging warns, and consumer.lagging for consumers. More keeps more to read and to replay, and takes that much disk.',
  },
  {
    key: 'retainAttemptDays',
    env: 'TIDINGS_RETAIN_ATTEMPTS',
    flag: '--retain-attempts <days>',
    kind: 'days',
    default: 14,
    unit: null,
    range: [1, 3650],
    doc: 'How long attempts are kept, such as 14d, or forever: what was sent when, and what was answered. More takes that much disk.',
  },
  {
    key: 'idempotencyHours',
    env: 'TIDINGS_IDEMPOTENCY_HOURS',
    flag: '--idempotency-hours <number>',
    kind: 'integer',
    default: IDEMPOTENCY_HOURS,
    unit: 'hours',
    range: [1, 720],
    doc: "How long the Idempotency-Key of a published event, and an id of the publisher's own, are known: the same again does nothing until then. For a scheduled event the time begins when it is due. More takes a row of some 200 bytes for each for that long.",
  },
  {
    key: 'pageCacheBytes',
    env: 'TIDINGS_PAGE_CACHE_BYTES',
    flag: '--page-cache-bytes <size>',
    kind: 'bytes',
    default: 8 * 1024 * 1024,
    unit: 'bytes',
    range: [1024 * 1024, 16 * 1024 ** 3],
    doc: 'Bytes of recent events kept as their readers get them, beside those of event-cache-bytes. More saves work where many read the same past of a log, and takes that much memory.',
  },
  {
    key: 'streamsPerApp',
    env: 'TIDINGS_STREAMS_PER_APP',
    flag: '--streams-per-app <number>',
    kind: 'integer',
    default: 5000,
    unit: null,
    range: [1, 1_000_000],
    doc: "Streams of one app that a process holds open at once; further ones are refused with 429. More takes about 10 KB of memory and a connection each, and lets one app use up the process's.",
  },
  {
    key: 'streamsPerKey',
    env: 'TIDINGS_STREAMS_PER_KEY',
    flag: '--streams-per-key <number>',
    kind: 'integer',
    default: 5000,
    unit: null,
    range: [1, 1_000_000],
    doc: 'Streams opened with one API key that a process holds open at once, of all apps together; further ones are refused with 429.',
  },
  {
    key: 'transformThreads',
    env: 'TIDINGS_TRANSFORM_THREADS',
    flag: '--transform-threads <number>',
    kind: 'integer',
    default: 2,
    unit: null,
    range: [1, 64],
    doc: 'Threads of a process that run transformations. They start with the first event that has one, and end after a minute without. More uses more cores; one app never has the last of several.',
  },
  {
    key: 'transformTimeoutMs',
    env: 'TIDINGS_TRANSFORM_TIMEOUT_MS',
    flag: '--transform-timeout-ms <number>',
    kind: 'integer',
    default: 50,
    unit: 'ms',
    range: [1, 10_000],
    doc: 'Processor time that a transformation may take for one event; beyond it the event is dead with transform_timeout. More lets one event hold up a thread for so long.',
  },
  {
    key: 'transformMemoryBytes',
    env: 'TIDINGS_TRANSFORM_MEMORY',
    flag: '--transform-memory <size>',
    kind: 'bytes',
    default: 32 * 1024 * 1024,
    unit: 'bytes',
    range: [16 * 1024 * 1024, 1024 ** 3],
    doc: 'Memory that a transformation may take; beyond it the event is dead with transform_memory. Each thread may take so much for the one that it runs.',
  },
  {
    key: 'transformAppPercent',
    env: 'TIDINGS_TRANSFORM_APP_PERCENT',
    flag: '--transform-app-percent <number>',
    kind: 'integer',
    default: 50,
    unit: '% of a core',
    range: [1, 6400],
    doc: 'Processor time that the transformations of one app may use in a process, after a burst of half a second. An app at its limit waits with the events of its endpoints that have a transformation; other endpoints and apps do not notice. More lets one app use more of what all share.',
  },
  {
    key: 'failpoints',
    env: 'TIDINGS_FAILPOINTS',
    flag: null,
    kind: 'failpoints',
    default: null,
    unit: null,
    doc: 'For tests only: places in the program where this process is killed, stopped, delayed or made to fail, such as writer.before_commit=kill:3 for the third commit; several are separated by commas.',
  },
] as const satisfies readonly OptionRow[];

type Option = (typeof OPTIONS)[number];
export type OptionKey = Option['key'];
type ValueOf<O extends Option> = O['default'] extends null ? Kinds[O['kind']] | null : Kinds[O['kind']];

/** The value of every option. */
export type Config = { [O in Option as O['key']]: ValueOf<O> };

/** Where the texts come from: flags by option key, as commander parsed them, and variables by name. */
export interface ConfigInput {
  flags?: Partial<Record<OptionKey, string | boolean | string[]>>;
  env?: Record<string, string | undefined>;
}

export interface ConfigValue {
  option: Option;
  value: Config[OptionKey];
  source: 'flag' | 'env' | 'default';
}

/** A value that cannot be used; the message names the option, what is wrong with it, and what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The option of a key, with the general type of a row. */
export function optionOf(key: OptionKey): OptionRow & Option {
  return OPTIONS.find((option) => option.key === key) as OptionRow & Option;
}

/** Every value with its source, in the table's order. @throws ConfigError naming the first value that cannot be used. */
export function resolveConfig({ flags = {}, env = process.env }: ConfigInput = {}): ConfigValue[] {
  return OPTIONS.map((option: Option) => {
    const flag = flags[option.key];
    if (flag !== undefined) {
      return { option, value: parse(option, flag, option.flag?.split(' ')[0] ?? option.key), source: 'flag' };
    }
    const variable = env[option.env];
    if (variable === undefined || variable === '' || isServiceLink(variable)) {
      return { option, value: option.default as Config[OptionKey], source: 'default' };
    }
    return { option, value: parse(option, variable, option.env), source: 'env' };
  });
}

/** The configuration, checked as a whole. @throws ConfigError */
export function loadConfig(input: ConfigInput = {}): Config {
  const config = Object.fromEntries(
    resolveConfig(input).map(({ option, value }) => [option.key, value]),
  ) as unknown as Config;
  if (config.databaseUrl !== null && config.masterKey === null) {
    throw new ConfigError(
      'TIDINGS_MASTER_KEY is missing: with DATABASE_URL the key that seals secrets must be given. Make one with `openssl rand -base64 32` and keep it with your backups.',
    );
  }
  return config;
}

/** A value as text, for print and documents. Secrets are not shown. */
export function formatValue(option: OptionRow, value: Config[OptionKey]): string {
  if (value === null || (Array.isArray(value) && value.length === 0)) return 'none';
  if (option.kind === 'secret') return 'given';
  if (option.kind === 'switch') return value ? 'on' : 'off';
  if (option.kind === 'bytes') return formatBytes(value as number);
  if (option.kind === 'days') return value === 0 ? 'forever' : `${value}d`;
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return option.unit === null ? text : `${text} ${option.unit}`;
}

function formatBytes(bytes: number): string {
  for (const [unit, size] of [...SIZES].reverse()) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size} ${unit}`;
  }
  return `${bytes} bytes`;
}

const SIZES = [
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
] as const;

// Beside a Service named "tidings" Kubernetes sets TIDINGS_PORT=tcp://10.0.0.1:8420 in every pod. That is not ours.
function isServiceLink(text: string): boolean {
  return text.startsWith('tcp://');
}

function parse(option: OptionRow, input: string | boolean | string[], name: string): Config[OptionKey] {
  const text = Array.isArray(input) ? input.join(',') : String(input).trim();
  const refuse = (wrong: string, doing: string): never => {
    const shown = option.kind === 'secret' ? '' : ` is "${text}",`;
    throw new ConfigError(`${name}${shown} ${wrong}. ${doing}.`);
  };
  switch (option.kind) {
    case 'switch':
      if (/^(true|1|on|yes)$/i.test(text)) return true;
      if (/^(false|0|off|no)$/i.test(text)) return false;
      return refuse('which is neither true nor false', 'Give true or false');
    case 'integer':
    case 'bytes': {
      const [least, most] = option.range ?? [0, Number.MAX_SAFE_INTEGER];
      const number = option.kind === 'bytes' ? parseBytes(text) : /^\d+$/.test(text) ? Number(text) : Number.NaN;
      if (number >= least && number <= most) return number;
      const size = option.kind === 'bytes' ? 'a size, such as 64MiB,' : 'a whole number';
      return refuse('which cannot be used', `Give ${size} from ${least} to ${most}`);
    }
    case 'days': {
      const [least, most] = option.range ?? [1, Number.MAX_SAFE_INTEGER];
      if (/^(0|forever)$/i.test(text)) return 0;
      const days = Number(/^(\d{1,9})\s*(?:d|days?)?$/i.exec(text)?.[1] ?? Number.NaN);
      if (days >= least && days <= most) return days;
      return refuse('which cannot be used', `Give whole days from ${least}d to ${most}d, or forever`);
    }
    case 'cidrs': {
      const ranges = text.split(/[\s,]+/).filter((range) => range !== '');
      const bad = ranges.find((range) => !isCidr(range));
      if (bad === undefined) return ranges;
      return refuse(`and "${bad}" is not an address range`, 'Give ranges as 10.0.0.0/8 or fd00::/8');
    }
    case 'roles': {
      const roles = text.split(/[\s,]+/).filter((role) => role !== '');
      const bad = roles.find((role) => !isRole(role));
      const doing = `Give some of ${ROLES.join(', ')}, separated by commas`;
      if (bad !== undefined) return refuse(`and "${bad}" is not a role`, doing);
      return roles.length === 0 ? refuse('which names no role', doing) : ROLES.filter((role) => roles.includes(role));
    }
    case 'logLevel':
      if ((LOG_LEVELS as readonly string[]).includes(text)) return text as LogLevel;
      return refuse('which is no log level', `Give one of ${LOG_LEVELS.join(', ')}`);
    case 'secret':
      if (option.key === 'databaseUrl' && !/^postgres(ql)?:\/\/./.test(text)) {
        return refuse('is not the address of a Postgres database', 'Give postgres://user:password@host:5432/name');
      }
      if (option.key === 'masterKey') checkMasterKey(name, text);
      return text;
    case 'url': {
      const url = URL.canParse(text) ? new URL(text) : null;
      const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.username + url.password === '';
      if (isPlain && !/[?#]/.test(text)) return url.href.replace(/\/+$/, '');
      return refuse(
        'which cannot be used',
        'Give an address as https://events.example.com, without user, query or fragment',
      );
    }
    case 'failpoints':
      checkFailpoints(name, text);
      return text;
    case 'text':
      return text === '' ? refuse('which is empty', 'Give a value or leave it out') : text;
  }
}

function checkMasterKey(name: string, text: string): void {
  try {
    parseMasterKey(text);
  } catch (cause) {
    throw new ConfigError(`${name} cannot be used. ${(cause as Error).message}`, { cause });
  }
}

function checkFailpoints(name: string, text: string): void {
  try {
    parseFailpoints(text);
  } catch (cause) {
    throw new ConfigError(`${name} cannot be used. ${(cause as Error).message}`, { cause });
  }
}

function parseBytes(text: string): number {
  const [, digits, unit] = /^(\d+)\s*(KiB|MiB|GiB)?$/.exec(text) ?? [];
  if (digits === undefined) return Number.NaN;
  return Number(digits) * (SIZES.find(([name]) => name === unit)?.[1] ?? 1);
}

function isCidr(range: string): boolean {
  const [, address, bits] = /^([^/]+)\/(\d{1,3})$/.exec(range) ?? [];
  const version = address === undefined ? 0 : isIP(address);
  return version !== 0 && Number(bits) <= (version === 4 ? 32 : 128);
}
