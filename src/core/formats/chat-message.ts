// An event as a message for people: what of its data is a title, a text, a link, and what is shown as fields. How that is written is each
// chat's own affair (slack.ts, discord.ts, teams.ts, telegram.ts).
import { formatTime } from '../time.ts';
import type { FormattedEvent } from './event-format.ts';
import { ExactNumber, type ExactValue, parseExact } from './exact-json.ts';

export interface ChatField {
  label: string;
  value: string;
}

/** All plain text, as long as it came. */
export interface ChatMessage {
  title: string;
  text: string | null;
  /** An http or https URL. */
  link: string | null;
  fields: ChatField[];
  /** Fields that there are beyond these. */
  more: number;
  type: string;
  id: string;
  timeMs: number;
  /** RFC 3339. */
  time: string;
}

/** As many as each chat shows without a fold. */
const MAX_FIELDS = 10;
const MAX_FIELD_DEPTH = 3;
/** Fields beyond this are not even counted. */
const MAX_COUNTED_FIELDS = 100;
const MAX_URL_LENGTH = 2000;

// Names that data commonly has for these, the first that there is.
const TITLE_KEYS = ['title', 'subject'] as const;
const TEXT_KEYS = ['text', 'message', 'body', 'description', 'summary', 'content'] as const;
const LINK_KEYS = ['url', 'link', 'permalink', 'html_url', 'htmlUrl', 'web_url', 'webUrl'] as const;

export function chatMessage(event: FormattedEvent): ChatMessage {
  const data = parseExact(event.data);
  const object = isObject(data) ? data : {};
  const titleKey = TITLE_KEYS.find((key) => isText(object[key]));
  const textKey = TEXT_KEYS.find((key) => isText(object[key]));
  const linkKey = LINK_KEYS.find((key) => isLink(object[key]));
  const fields = new Fields(new Set([titleKey, textKey, linkKey]));
  if (isObject(data)) fields.addMembers(data, [], 1);
  else fields.add('data', data);
  return {
    title: titleKey === undefined ? words(event.type) : String(object[titleKey]),
    text: textKey === undefined ? null : String(object[textKey]),
    link: linkKey === undefined ? null : String(object[linkKey]),
    fields: fields.shown,
    more: fields.count - fields.shown.length,
    type: event.type,
    id: event.id,
    timeMs: event.timeMs,
    time: formatTime(event.timeMs),
  };
}

export function isLink(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > MAX_URL_LENGTH || !/^https?:\/\//i.test(value)) return false;
  return !/[\s<>"|]/.test(value) && URL.canParse(value);
}

/** `invoice.paid`, `customerId` and `html_url` as words: `Invoice paid`, `Customer id`, `Html url`. */
export function words(name: string): string {
  const spaced = name
    .replaceAll(/[._-]+/g, ' ')
    .replaceAll(/([a-z\d])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`)
    .trim();
  return spaced === '' ? name : spaced[0].toUpperCase() + spaced.slice(1);
}

class Fields {
  readonly shown: ChatField[] = [];
  count = 0;
  readonly #used: ReadonlySet<string | undefined>;

  /** `used` = members of data that the message has elsewhere. */
  constructor(used: ReadonlySet<string | undefined>) {
    this.#used = used;
  }

  addMembers(object: { readonly [key: string]: ExactValue }, path: readonly string[], depth: number): void {
    for (const [key, value] of Object.entries(object)) {
      if (this.count >= MAX_COUNTED_FIELDS) return;
      if (depth === 1 && this.#used.has(key)) continue;
      if (isObject(value) && depth < MAX_FIELD_DEPTH) this.addMembers(value, [...path, key], depth + 1);
      else this.add([...path, key].join(' '), value);
    }
  }

  add(name: string, value: ExactValue): void {
    const text = textOf(value);
    if (text === '') return;
    this.count++;
    if (this.shown.length < MAX_FIELDS) this.shown.push({ label: words(name), value: text });
  }
}

/** A value in a line; '' when there is nothing to show. */
function textOf(value: ExactValue): string {
  if (value === null) return '';
  if (Array.isArray(value)) {
    if (value.length === 0) return '';
    if (value.every((element) => !isObject(element) && !Array.isArray(element))) return value.map(textOf).join(', ');
    return value.length === 1 ? '1 item' : `${value.length} items`;
  }
  if (!isObject(value)) return String(value).trim();
  const count = Object.keys(value).length;
  return count === 0 ? '' : count === 1 ? '1 member' : `${count} members`;
}

function isText(value: ExactValue | undefined): boolean {
  return typeof value === 'string' && value.trim() !== '';
}

function isObject(value: ExactValue | undefined): value is { readonly [key: string]: ExactValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}
