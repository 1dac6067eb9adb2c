// What the options of formats may be. Each check says what is wrong with a value that was given, or null.
import { CLOUD_EVENT_MODES, OWN_ATTRIBUTES } from './cloud-event.ts';
import { TEMPLATE_LIMITS, templateFault } from './liquid-template.ts';
import { ESCAPE, type EscapeName, escapeFor } from './output-escape.ts';

/** `others` = the other options of the same format. */
export type OptionCheck = (value: unknown, others: Readonly<Record<string, unknown>>) => string | null;

const MAX_FIELDS = 10;
const MAX_PATH = 200;
const MAX_ATTRIBUTES = 16;
const MAX_ATTRIBUTE = 256;
const MAX_SOURCE = 500;
const MAX_THREAD = 2 ** 31 - 1;

// CloudEvents 1.0.2, "Type system": no control characters, no halves of pairs, nothing that is no character.
const NO_ATTRIBUTE_TEXT = /[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]|\p{Cs}/u;
const ATTRIBUTE_NAME = /^[a-z0-9]{1,20}$/;
// RFC 3986, appendix A, without the finer rules: only characters that a URI reference has, and percent signs that begin an escape.
const URI_REFERENCE = /^(?:[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/;
const CONTENT_TYPE = /^[a-z0-9!#$&^_.+-]{1,64}\/[a-z0-9!#$&^_.+-]{1,64}(?:; ?charset=utf-8)?$/i;
// A name of DNS (RFC 1123), as the sender of events calls itself.
const ORIGIN = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;

export const checkTitle: OptionCheck = (value) => checkTemplate(value, 'none');

export const checkFields: OptionCheck = (value) => {
  const isPath = (path: unknown): boolean => typeof path === 'string' && path.length >= 1 && path.length <= MAX_PATH;
  if (Array.isArray(value) && value.length <= MAX_FIELDS && value.every(isPath)) return null;
  return `Give up to ${MAX_FIELDS} members of data, such as "customer.name".`;
};

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const MAX_HEADERS = 50;

export const checkHeaderNames: OptionCheck = (value) => {
  const isName = (name: unknown): boolean => typeof name === 'string' && HEADER_NAME.test(name);
  if (Array.isArray(value) && value.length <= MAX_HEADERS && value.every(isName)) return null;
  return `Give the names of up to ${MAX_HEADERS} headers, such as "x-hub-signature-256".`;
};

/** A template whose outputs are escaped by the chat: which way makes no difference to what it may be. */
export const checkText: OptionCheck = (value) => checkTemplate(value, 'none');

export const checkBody: OptionCheck = (value, { contentType }) =>
  checkTemplate(value, (typeof contentType === 'string' ? escapeFor(contentType) : null) ?? 'none');

export const checkContentType: OptionCheck = (value) => {
  if (typeof value === 'string' && CONTENT_TYPE.test(value) && escapeFor(value) !== null) return null;
  return (
    'Give a type whose escaping is known: JSON (application/json, +json), XML or HTML (application/xml, text/xml, +xml, text/html), ' +
    'application/x-www-form-urlencoded, text/csv, text/plain or text/markdown; of charsets only utf-8.'
  );
};

export const checkMode: OptionCheck = (value) =>
  (CLOUD_EVENT_MODES as readonly unknown[]).includes(value)
    ? null
    : `The mode is one of ${CLOUD_EVENT_MODES.join(', ')}.`;

export const checkSource: OptionCheck = (value) => {
  if (typeof value === 'string' && value.length <= MAX_SOURCE && URI_REFERENCE.test(value)) return null;
  return `The source is a URI reference of 1 to ${MAX_SOURCE} characters, such as /billing or https://example.com/billing.`;
};

export const checkAttributes: OptionCheck = (value) => {
  if (!isObject(value)) return 'The attributes are an object of names and texts.';
  const entries = Object.entries(value);
  if (entries.length > MAX_ATTRIBUTES) return `There are at most ${MAX_ATTRIBUTES} attributes, not ${entries.length}.`;
  for (const [name, text] of entries) {
    if (!ATTRIBUTE_NAME.test(name))
      return `${JSON.stringify(name)} is no name of an attribute: 1 to 20 of a-z and 0-9.`;
    if ((OWN_ATTRIBUTES as readonly string[]).includes(name)) return `Every event has its own ${name}. Leave it out.`;
    const fits = typeof text === 'string' && text.length >= 1 && text.length <= MAX_ATTRIBUTE;
    if (!fits || NO_ATTRIBUTE_TEXT.test(text as string)) {
      return `The attribute ${name} is a text of 1 to ${MAX_ATTRIBUTE} characters without control characters.`;
    }
    if (name === 'dataschema' && !URL.canParse(text as string)) return 'The attribute dataschema is an absolute URI.';
  }
  return null;
};

export const checkHandshake: OptionCheck = (value) => {
  const isOrigin = isObject(value) && typeof value.origin === 'string' && ORIGIN.test(value.origin);
  if (isOrigin && Object.keys(value).length === 1) return null;
  return 'The handshake is {origin}: the name that this sender goes by, such as events.example.com.';
};

export const checkChatId: OptionCheck = (value) => {
  if (Number.isSafeInteger(value) && value !== 0) return null;
  if (typeof value === 'string' && /^(?:@[A-Za-z0-9_]{4,64}|-?[1-9]\d{0,18})$/.test(value)) return null;
  return 'The chat is its number, or the name of a channel such as @example.';
};

export const checkThreadId: OptionCheck = (value) =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= MAX_THREAD
    ? null
    : 'The thread is its number.';

export const checkSwitch: OptionCheck = (value) => (typeof value === 'boolean' ? null : 'Give true or false.');

function checkTemplate(value: unknown, escapeName: EscapeName): string | null {
  if (typeof value !== 'string' || value === '') {
    return `Give a template of 1 to ${TEMPLATE_LIMITS.source} characters.`;
  }
  if (!value.isWellFormed() || value.includes('\0')) return 'The template holds U+0000 or half a surrogate pair.';
  return templateFault(value, ESCAPE[escapeName]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
