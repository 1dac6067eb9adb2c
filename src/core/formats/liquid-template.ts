// Templates of users (Liquid, by liquidjs) within limits that are counted rather than timed, so that an event renders alike, or fails alike, on
// every machine. A template reaches no files, no clock and no chance, and what it costs is bounded by what it may read, write and repeat.
import {
  Context,
  defaultOperators,
  evalToken,
  type FilterImplOptions,
  Liquid,
  LiquidError,
  type Template as LiquidNode,
  toValueSync,
} from 'liquidjs';
import { formatTime } from '../time.ts';
import { FormatError, type FormattedEvent } from './event-format.ts';
import { ExactNumber, type ExactValue, parseExact, writeExact } from './exact-json.ts';
import { escapeJson } from './output-escape.ts';

export const TEMPLATE_LIMITS = {
  /** Characters of a template. */
  source: 16 * 1024,
  /** Tags, outputs and texts between them that one rendering may come by. */
  steps: 10_000,
  /** Characters and elements that one rendering may make or read; and four times the size of the data. */
  memory: 1024 * 1024,
  /** For what is not counted. Nothing that is within the other limits comes near, but on a machine that is overloaded. */
  ms: 2000,
} as const;

/** What a template knows. Alone, an event is the only one of `events`; several in one request are all there, and the others are of the first. */
const VARIABLES = ['id', 'type', 'time', 'position', 'channels', 'app', 'data', 'events'] as const;

/** Of liquidjs, those that are bounded by the size of what they are given, and say the same at any time. */
const FILTERS = [
  ...['abs', 'at_least', 'at_most', 'ceil', 'divided_by', 'floor', 'minus', 'plus', 'modulo', 'times', 'round'],
  ...['append', 'prepend', 'capitalize', 'downcase', 'upcase', 'strip', 'lstrip', 'rstrip', 'strip_newlines'],
  ...['remove', 'remove_first', 'remove_last', 'replace', 'replace_first', 'replace_last', 'squish', 'newline_to_br'],
  ...['truncate', 'truncatewords', 'normalize_whitespace', 'number_of_words', 'split', 'slice', 'size', 'default'],
  ...['join', 'first', 'last', 'reverse', 'sort', 'sort_natural', 'map', 'sum', 'compact', 'concat', 'uniq', 'where'],
  ...['reject', 'group_by', 'array_to_sentence_string', 'date', 'date_to_xmlschema', 'date_to_rfc822'],
  ...['date_to_string', 'date_to_long_string', 'escape', 'xml_escape', 'escape_once', 'strip_html', 'url_encode'],
  ...['url_decode', 'cgi_escape', 'uri_escape', 'base64_encode', 'base64_decode', 'sha256', 'to_integer', 'raw'],
];
const TAGS = [
  ...['assign', 'capture', 'case', 'comment', 'cycle', 'decrement', 'echo', 'for', 'break', 'continue', 'if'],
  ...['increment', 'liquid', 'raw', 'tablerow', 'unless', '#'],
];
/**
 * What costs more than to read a character, as so many of these: a property; an operator, a filter and a branch, whatever they are given;
 * an element that is compared, looked into or sorted; a member of an object that is listed; a date, and one in another time zone; a
 * character of a tag, which is carried out.
 */
const COST = {
  property: 4,
  operator: 8,
  filter: 16,
  branch: 16,
  compare: 8,
  look: 40,
  sort: 40,
  member: 64,
  date: 1000,
  zone: 5000,
  tag: 2,
} as const;
const LOOKING_FILTERS = ['where', 'reject', 'group_by', 'map', 'sum', 'uniq', 'compact'];

/** Of an event or several; the data is parsed here. */
export function templateVariables(events: readonly FormattedEvent[]): TemplateVariables {
  const all = events.map((event) => ({
    id: event.id,
    type: event.type,
    time: formatTime(event.timeMs),
    position: event.position,
    channels: event.channels,
    app: event.appId,
    data: parseExact(event.data),
  }));
  return { ...all[0], events: all, dataBytes: events.reduce((sum, { data }) => sum + data.length, 0) };
}

export interface TemplateVariables {
  events: readonly unknown[];
  data: ExactValue;
  /** Not a variable, but what the limits go by. */
  dataBytes: number;
}

/** A template that cannot be used, with the place and what is wrong there in words. */
export class TemplateError extends FormatError {}

export class Template {
  readonly #liquid: Liquid;
  readonly #nodes: LiquidNode[];

  /** `escapeText` writes what an output gives. @throws TemplateError */
  constructor(source: string, escapeText: (text: string) => string) {
    if (source.length > TEMPLATE_LIMITS.source) {
      throw new TemplateError(`it has ${source.length} characters; at most ${TEMPLATE_LIMITS.source} are allowed`);
    }
    this.#liquid = engineFor(escapeText);
    try {
      this.#nodes = this.#liquid.parse(source);
      chargeNodes(this.#nodes);
    } catch (error) {
      throw error instanceof TemplateError ? error : new TemplateError(placeOf(error));
    }
  }

  /** @throws TemplateError for a variable that is never there: a slip that would show as nothing in every request */
  checkVariables(): void {
    const { globals } = this.#liquid.analyzeSync(this.#nodes, { partials: false });
    for (const [name, [{ location }]] of Object.entries(globals)) {
      if ((VARIABLES as readonly string[]).includes(name)) continue;
      const place = `line ${location.row}, column ${location.col}`;
      throw new TemplateError(`${place}: there is no variable ${name}; there are ${VARIABLES.join(', ')}`);
    }
  }

  /** @throws FormatError with line and column */
  render({ dataBytes, ...variables }: TemplateVariables): string {
    const liquid = this.#liquid;
    const limits = {
      liquid,
      memoryLimit: new Budget(TEMPLATE_LIMITS.memory + 4 * dataBytes),
      renderLimit: new Steps(),
    };
    try {
      return String(liquid.renderSync(this.#nodes, new LimitedContext(variables, liquid.options, limits)));
    } catch (error) {
      const message = `The template fails at ${placeOf(error)}.`;
      throw new FormatError(message, { isPassing: innermost(error) instanceof TooSlow });
    }
  }
}

/** Characters and elements that are left. In place of a class of liquidjs that it does not export. */
class Budget {
  readonly #most: number;
  #left: number;

  constructor(most: number) {
    this.#most = most;
    this.#left = most;
  }

  use(count: number): void {
    if (!(count > 0)) return;
    this.#left -= count;
    if (this.#left < 0) throw new Error(`it needs more than ${this.#most} characters and elements`);
  }
}

class TooSlow extends Error {}

/** Asked before each step, and given the time. */
class Steps {
  #left: number = TEMPLATE_LIMITS.steps;
  #startedMs: number | null = null;

  check(nowMs: number): void {
    this.#startedMs ??= nowMs;
    if (nowMs - this.#startedMs > TEMPLATE_LIMITS.ms) throw new TooSlow(`it takes more than ${TEMPLATE_LIMITS.ms} ms`);
    if (--this.#left < 0) throw new Error(`it needs more than ${TEMPLATE_LIMITS.steps} steps`);
  }
}

interface Limits {
  liquid: Liquid;
  memoryLimit: Budget;
  renderLimit: Steps;
}

class LimitedContext extends Context {
  readonly #limits: Limits;

  constructor(variables: object, options: Liquid['options'], limits: Limits) {
    super(variables, options, { sync: true }, limits as never);
    this.#limits = limits;
  }

  override readProperty(object: never, key: never): unknown {
    this.#limits.memoryLimit.use(key === 'size' ? membersCost(object) : COST.property);
    return super.readProperty(object, key);
  }

  override spawn(variables: object = {}): Context {
    return new LimitedContext(variables, this.opts, this.#limits);
  }
}

const engines = new Map<(text: string) => string, Liquid>();

function engineFor(escapeText: (text: string) => string): Liquid {
  const known = engines.get(escapeText);
  if (known !== undefined) return known;
  const liquid = new Liquid({
    ownPropertyOnly: true,
    strictFilters: true,
    timezoneOffset: 0,
    locale: 'en-US',
    templates: {},
    outputEscape(this: { context: Context }, value: unknown) {
      charge(this, sizeOf(value));
      const text = escapeText(textOf(value));
      charge(this, text.length);
      return text;
    },
    operators: { ...defaultOperators, ...chargedOperators() },
  });
  for (const name of Object.keys(liquid.tags)) if (!TAGS.includes(name)) delete liquid.tags[name];
  for (const [name, filter] of Object.entries(liquid.filters)) {
    delete liquid.filters[name];
    if (FILTERS.includes(name)) liquid.registerFilter(name, charged(name, filter!));
  }
  liquid.registerFilter('json', {
    raw: escapeText === escapeJson,
    handler(value: unknown) {
      const text = writeExact((value ?? null) as ExactValue);
      charge(this, text.length);
      return text;
    },
  });
  engines.set(escapeText, liquid);
  return liquid;
}

/** A filter that pays for what it reads; many of liquidjs pay for what they make besides. */
function charged(name: string, filter: FilterImplOptions): FilterImplOptions {
  const { handler, raw = false } = typeof filter === 'function' ? { handler: filter } : filter;
  const takesDate = name.startsWith('date');
  const each = name.startsWith('sort') ? COST.sort : LOOKING_FILTERS.includes(name) ? COST.look : 1;
  const base = takesDate ? COST.date : COST.filter;
  return {
    raw,
    handler(value: unknown, ...rest: unknown[]) {
      charge(this, base + each * sizeOf(value) + (takesDate && rest.length > 1 ? COST.zone : 0));
      if (!takesDate) return handler.call(this, value, ...rest);
      if (value === 'now' || value === 'today')
        throw new Error(`"${value}" is another time in every attempt; use \`time\``);
      return handler.call(this, value instanceof ExactNumber ? Number(value) : value, ...rest);
    },
  };
}

/** Some look at all of a list or text. */
function chargedOperators(): typeof defaultOperators {
  const charged = Object.entries(defaultOperators).map(([name, known]) => {
    const operator = known as (left: unknown, right: unknown, context: Context) => unknown;
    if (!['==', '!=', '>', '<', '>=', '<=', 'contains'].includes(name)) return [name, known];
    return [
      name,
      (left: unknown, right: unknown, context: Context) => {
        charge({ context }, COST.operator + (Array.isArray(left) ? COST.compare * sizeOf(left) : sizeOf(left)));
        return operator(left, right, context);
      },
    ];
  });
  return Object.fromEntries(charged);
}

function charge(at: { context: Context }, count: number): void {
  at.context.memoryLimit.use(count);
}

/** Characters of a text, elements of a list and of the lists in it, members of an object. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (!Array.isArray(value)) return isPlain(value) ? Object.keys(value).length : 1;
  let size = value.length;
  for (const element of value) if (Array.isArray(element)) size += sizeOf(element);
  return size;
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function membersCost(value: unknown): number {
  return isPlain(value) ? COST.member * Object.keys(value).length : 0;
}

/** An output as text; what has members as JSON. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(textOf).join('');
  if (isPlain(value)) return writeExact(value as ExactValue);
  return String(value);
}

/** What texts, the tag `raw`, and loops are told by. */
interface NodeParts {
  str?: string;
  tokens?: { getText(): string }[];
  branches?: { values?: readonly unknown[] }[];
  collection?: Parameters<typeof evalToken>[0];
}

/** Each time, a node costs its own text and the branches that it has to look at, a loop over an object the members of that too. */
function chargeNodes(nodes: readonly LiquidNode[]): void {
  for (const node of nodes) {
    const { str, tokens, branches = [], collection } = node as LiquidNode & NodeParts;
    const text = str ?? tokens?.map((token) => token.getText()).join('');
    if (text !== undefined) {
      node.render = (context) => {
        context.memoryLimit.use(text.length);
        return text;
      };
    }
    const render = node.render.bind(node);
    if (text === undefined) {
      const looked = branches.reduce((sum, { values }) => sum + (values?.length ?? 1), 0);
      const cost = COST.tag * node.token.getText().length + COST.branch * looked;
      node.render = (context, emitter) => {
        context.memoryLimit.use(cost);
        return render(context, emitter);
      };
    }
    if (collection !== undefined) {
      const loop = node.render;
      node.render = function* (context, emitter): Generator<unknown, string, unknown> {
        charge({ context }, membersCost(yield evalToken(collection, context)));
        return (yield loop(context, emitter)) as string;
      };
    }
    if (node.children) chargeNodes(toValueSync(node.children(false, true)) as LiquidNode[]);
  }
}

function placeOf(error: unknown): string {
  if (error instanceof RangeError) return 'a place where it is nested too deeply';
  if (!LiquidError.is(error)) return (error as Error).message;
  const [line, column] = error.token.getPosition();
  const { message } = innermost(error);
  return `line ${line}, column ${column}: ${message.replace(/, (?:file:.*, )?line:\d+, col:\d+$/, '')}`;
}

function innermost(error: unknown): Error {
  if (LiquidError.is(error) && error.originalError !== undefined) return innermost(error.originalError);
  return error as Error;
}

/** What is wrong with a template as received, with its place; null = nothing. */
export function templateFault(source: string, escapeText: (text: string) => string): string | null {
  try {
    new Template(source, escapeText).checkVariables();
    return null;
  } catch (error) {
    if (error instanceof TemplateError) return `The template cannot be used: ${error.message}.`;
    throw error;
  }
}

/** A template that is parsed when it is first needed: it was when it was stored, and an endpoint that is loaded need not be sent anything. */
export function lazyTemplate(
  source: string,
  escapeText: (text: string) => string,
): (variables: TemplateVariables) => string {
  let template: Template | null = null;
  return (variables) => {
    template ??= new Template(source, escapeText);
    return template.render(variables);
  };
}
