// An event as a message for people: what of its data is a title, a text, a link, and what is shown as fields. How that is written is each
// chat's own affair (slack.ts, discord.ts, teams.ts, telegram.ts).
import { formatTime } from '../time.ts';
import type { FormattedEvent } from './event-format.ts';
import { ExactNumber, type ExactValue } from './exact-json.ts';
import { lazyTemplate, templateVariables } from './liquid-template.ts';

export interface ChatOptions {
  /** Liquid, in one line of plain text. */
  title?: string;
  /** Liquid: the text of the message, in the chat's own markup. With it, title, link and fields are only those that are given. */
  template?: string;
  /** Liquid: a URL. */
  link?: string;
  /** Members of data, dotted where they are nested. */
  fields?: string[];
}

export interface ChatField {
  label: string;
  value: string;
}

/** As long as it came; plain text unless said. */
export interface ChatMessage {
  title: string | null;
  /** `isMarkup`: as the chat has it, what it holds of the event is escaped. */
  text: { value: string; isMarkup: boolean } | null;
  /** An http or https URL. */
  link: string | null;
  fields: readonly ChatField[];
  /** Fields that there are beyond these. */
  more: number;
  /** Where it comes from; null where a template has the say. */
  origin: ChatOrigin | null;
}

export interface ChatOrigin {
  type: string;
  id: string;
  timeMs: number;
  /** RFC 3339. */
  time: string;
}

/** As many as each chat shows without a fold. */
export const MAX_FIELDS = 10;
const MAX_FIELD_DEPTH = 3;
/** Fields beyond this are not even counted. */
const MAX_COUNTED_FIELDS = 100;
const MAX_URL_LENGTH = 2000;

// Names that data commonly has for these, the first that there is.
const TITLE_KEYS = ['title', 'subject'] as const;
const TEXT_KEYS = ['text', 'message', 'body', 'description', 'summary', 'content'] as const;
const LINK_KEYS = ['url', 'link', 'permalink', 'html_url', 'htmlUrl', 'web_url', 'webUrl'] as const;

type ExactObject = { readonly [key: string]: ExactValue };

/** What makes messages of events by these options; `escapeText` is the chat's, for what a template takes from an event. */
export function chatComposer(
  { title, template, link, fields }: ChatOptions,
  escapeText: (text: string) => string,
): (event: FormattedEvent) => ChatMessage {
  const writeTitle = title === undefined ? null : lazyTemplate(title, asItIs);
  const writeText = template === undefined ? null : lazyTemplate(template, escapeText);
  const writeLink = link === undefined ? null : lazyTemplate(link, asItIs);
  return (event) => {
    const variables = templateVariables([event]);
    const { data } = variables;
    const byDefault = writeText === null ? defaultMessage(event, data) : NOTHING;
    const text = writeText === null ? null : writeText(variables).trim();
    const ownTitle = writeTitle === null ? null : writeTitle(variables).replaceAll(/\s+/g, ' ').trim();
    const ownLink = writeLink === null ? null : writeLink(variables).trim();
    return {
      ...byDefault,
      ...(text !== null && { text: text === '' ? null : { value: text, isMarkup: true } }),
      ...(ownTitle !== null && { title: ownTitle === '' ? null : ownTitle }),
      ...(ownLink !== null && { link: isLink(ownLink) ? ownLink : null }),
      ...(fields !== undefined && { fields: fieldsAt(data, fields), more: 0 }),
    };
  };
}

const NOTHING: ChatMessage = { title: null, text: null, link: null, fields: [], more: 0, origin: null };

function defaultMessage({ id, type, timeMs }: FormattedEvent, data: ExactValue): ChatMessage {
  const object = isObject(data) ? data : {};
  const titleKey = TITLE_KEYS.find((key) => isText(object[key]));
  const textKey = TEXT_KEYS.find((key) => isText(object[key]));
  const linkKey = LINK_KEYS.find((key) => isLink(object[key]));
  const { shown, count } = isObject(data)
    ? fieldsOf(data, new Set([titleKey, textKey, linkKey]))
    : fieldsOf({ data }, new Set());
  return {
    title: titleKey === undefined ? words(type) : String(object[titleKey]).trim(),
    text: textKey === undefined ? null : { value: String(object[textKey]).trim(), isMarkup: false },
    link: linkKey === undefined ? null : String(object[linkKey]),
    fields: shown,
    more: count - shown.length,
    origin: { type, id, timeMs, time: formatTime(timeMs) },
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
  return spaced === '' ? name.trim() : spaced[0].toUpperCase() + spaced.slice(1);
}

/** Members and members of members that have something to show; `used` = those that the message has elsewhere. */
function fieldsOf(data: ExactObject, used: ReadonlySet<string | undefined>): { shown: ChatField[]; count: number } {
  const shown: ChatField[] = [];
  let count = 0;
  const visit = (object: ExactObject, path: string, depth: number): void => {
    for (const [key, value] of Object.entries(object)) {
      if (count >= MAX_COUNTED_FIELDS) return;
      if (depth === 1 && used.has(key)) continue;
      if (isObject(value) && depth < MAX_FIELD_DEPTH) {
        visit(value, `${path}${key} `, depth + 1);
        continue;
      }
      const field = fieldOf(path + key, value);
      if (field === null) continue;
      count++;
      if (shown.length < MAX_FIELDS) shown.push(field);
    }
  };
  visit(data, '', 1);
  return { shown, count };
}

function fieldsAt(data: ExactValue, paths: readonly string[]): ChatField[] {
  return paths.flatMap((path) => {
    let value: ExactValue | undefined = data;
    for (const key of path.split('.')) value = memberOf(value, key);
    return value === undefined ? [] : (fieldOf(path, value) ?? []);
  });
}

function memberOf(value: ExactValue | undefined, key: string): ExactValue | undefined {
  if (!isObject(value) && !Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key) ? (value as ExactObject)[key] : undefined;
}

/** null = there is nothing to show. */
function fieldOf(name: string, value: ExactValue): ChatField | null {
  const text = textOf(value);
  return text === '' ? null : { label: words(name) || '?', value: text };
}

/** A value in a line. */
function textOf(value: ExactValue): string {
  if (value === null) return '';
  if (Array.isArray(value)) {
    if (value.every((element) => !isObject(element) && !Array.isArray(element)))
      return value.map(textOf).join(', ').trim();
    return value.length === 1 ? '1 item' : `${value.length} items`;
  }
  if (!isObject(value)) return String(value).trim();
  const count = Object.keys(value).length;
  return count === 0 ? '' : count === 1 ? '1 member' : `${count} members`;
}

function isText(value: ExactValue | undefined): boolean {
  return typeof value === 'string' && value.trim() !== '';
}

function isObject(value: ExactValue | undefined): value is ExactObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

function asItIs(text: string): string {
  return text;
}
