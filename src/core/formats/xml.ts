// Events as XML 1.0 (docs/reference/formats.md). Every JSON value has one form, and it can be read back to the same value: element names are keys
// where these are plain names, text stands as it is, numbers keep their digits, and what XML cannot hold is escaped and marked as that.
import { JsonScanner } from '../json-scan.ts';
import { formatTime } from '../time.ts';
import { BodyText } from './body-text.ts';
import type { EventFormat, FormattedEvent } from './event-format.ts';

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const CONTENT_TYPE = 'application/xml; charset=utf-8';
/** Names that every XML tool takes as they are: those that begin with `xml` are XML's own, and those that all objects have in JavaScript are not safe there. */
const PLAIN_NAME =
  /^(?!xml|(?:constructor|prototype|hasOwnProperty|toString|valueOf)$)(?:[A-Z]|_(?!_))[A-Z0-9_.-]{0,99}$/i;
// XML 1.0, section 2.2: what no document may hold, not even as a reference; the backslash, which begins an escape here.
const NO_XML = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\\]|\p{Cs}/gu;
const NEEDS_ESCAPES = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Cs}/u;
// The rest that markup or a parser's line ends and normalisation of attributes would change (sections 2.11, 3.3.3).
const REFERENCES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

export const xmlFormat: EventFormat = {
  one(event) {
    const text = new BodyText();
    text.add(DECLARATION);
    addEvent(text, event);
    return { body: text.toBuffer(), contentType: CONTENT_TYPE };
  },
  many(events) {
    const text = new BodyText();
    text.add(`${DECLARATION}<events>`);
    for (const event of events) addEvent(text, event);
    text.add('</events>');
    return { body: text.toBuffer(), contentType: CONTENT_TYPE };
  },
};

function addEvent(text: BodyText, { id, type, timeMs, data }: FormattedEvent): void {
  text.add(`<event id="${id}" type="${type}" timestamp="${formatTime(timeMs)}">`);
  const scanner = new JsonScanner();
  scanner.open(data);
  addValue(text, 'data', '', { scanner, data });
  text.add('</event>');
}

interface Source {
  scanner: JsonScanner;
  data: Buffer;
}

/** The value at the scanner as an element; `attributes` = those that it has for its key. */
function addValue(text: BodyText, name: string, attributes: string, source: Source): void {
  const { scanner, data } = source;
  const kind = scanner.kind();
  switch (kind) {
    case 'object':
      text.add(`<${name}${attributes} type="object">`);
      scanner.enterObject();
      while (scanner.nextMember()) {
        const key = JSON.parse(data.toString('utf8', scanner.keyFrom - 1, scanner.keyTo + 1)) as string;
        if (PLAIN_NAME.test(key)) addValue(text, key, '', source);
        else addValue(text, 'entry', nameAttribute(key), source);
      }
      break;
    case 'array':
      text.add(`<${name}${attributes} type="array">`);
      scanner.enterArray();
      while (scanner.nextElement()) addValue(text, 'item', '', source);
      break;
    case 'string': {
      const value = JSON.parse(readText(source)) as string;
      if (NEEDS_ESCAPES.test(value)) text.add(`<${name}${attributes} escaped="true">${writeText(escapeText(value))}`);
      else text.add(`<${name}${attributes}>${writeText(value)}`);
      break;
    }
    case 'null':
      readText(source);
      text.add(`<${name}${attributes} type="null">`);
      break;
    default:
      text.add(`<${name}${attributes} type="${kind}">${readText(source)}`);
  }
  text.add(`</${name}>`);
}

function nameAttribute(key: string): string {
  if (NEEDS_ESCAPES.test(key)) return ` name="${writeText(escapeText(key))}" name-escaped="true"`;
  return ` name="${writeText(key)}"`;
}

/** What XML cannot hold as JSON writes it, `\\u0000`, and a backslash twice. */
function escapeText(text: string): string {
  return text.replaceAll(NO_XML, (character) =>
    character === '\\' ? '\\\\' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function writeText(text: string): string {
  return text.replaceAll(/[&<>"\t\n\r]/g, (character) => REFERENCES[character]);
}

function readText({ scanner, data }: Source): string {
  const from = scanner.at;
  scanner.skipValue();
  return data.toString('utf8', from, scanner.at);
}
