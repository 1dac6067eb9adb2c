// From the body of an answer to its items: JSON, NDJSON, CSV, XML, RSS and Atom. Strict, for half an answer must not pass for a short one: what
// was cut off is an error and never an empty list.
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import Papa from 'papaparse';
import { TidingsError } from '../../core/errors.ts';
import { ExactNumber, type ExactValue, parseExact } from '../../core/formats/exact-json.ts';
import { checkJson } from '../../core/json-scan.ts';
import { isFeed, readFeed } from './feed.ts';
import type { FetchConfig, FetchFormat } from './fetch-config.ts';
import { FetchFailure } from './fetch-failure.ts';
import { readAll } from './item-path.ts';

export interface ReadAnswer {
  /** The whole answer, in which cursors and further URLs are looked for. */
  root: ExactValue;
  items: ExactValue[];
  format: Exclude<FetchFormat, 'auto'>;
}

/** @throws FetchFailure not_understood */
export function readItems(
  body: Buffer,
  contentType: string,
  config: Pick<FetchConfig, 'format' | 'items'>,
  isWhole: boolean,
): ReadAnswer {
  const wanted = config.format ?? 'auto';
  let format = wanted === 'auto' ? formatOf(contentType) : wanted;
  let root: ExactValue;
  try {
    root = parseBody(decodeText(body, contentType), format);
  } catch (error) {
    if (error instanceof FetchFailure) throw error;
    const detail = error instanceof TidingsError ? error.detail : (error as Error).message;
    throw new FetchFailure('not_understood', `The answer is not valid as ${format}: ${detail}`, { cause: error });
  }
  if (format === 'xml' && wanted === 'auto' && isFeed(root)) format = 'feed';
  if (isWhole) {
    const whole = readAll(root, config.items ?? '').slice(0, 1);
    if (whole.length > 0) return { root, items: whole, format };
    throw new FetchFailure('not_understood', `The answer has nothing at items, ${config.items}.`);
  }
  if (format === 'feed') return { root, items: readFeed(root), format };
  return { root, items: itemsAt(root, config.items ?? '', format), format };
}

function formatOf(contentType: string): Exclude<FetchFormat, 'auto'> {
  const type = contentType.split(';')[0].trim().toLowerCase();
  if (/^text\/(csv|comma-separated-values)$|\/csv$/.test(type)) return 'csv';
  if (/ndjson|jsonl|json-lines|x-json-stream/.test(type)) return 'ndjson';
  return /[/+]xml$/.test(type) ? 'xml' : 'json';
}

function decodeText(body: Buffer, contentType: string): string {
  const charset = /charset\s*=\s*"?([\w.:-]+)/i.exec(contentType)?.[1] ?? declaredCharset(body) ?? 'utf-8';
  try {
    return new TextDecoder(charset, { fatal: true }).decode(body); // drops a byte order mark
  } catch (error) {
    throw new FetchFailure('not_understood', `The answer is not valid ${charset}.`, { cause: error });
  }
}

function declaredCharset(body: Buffer): string | undefined {
  return /^<\?xml[^>]*encoding\s*=\s*["']([\w.:-]+)["']/.exec(body.toString('latin1', 0, 200))?.[1];
}

function parseBody(text: string, format: Exclude<FetchFormat, 'auto'>): ExactValue {
  switch (format) {
    case 'json':
      return parseStrict(text);
    case 'ndjson':
      return text
        .split(/\r?\n/)
        .filter((line) => line.trim() !== '')
        .map(parseStrict);
    case 'csv':
      return parseCsv(text);
    case 'xml':
    case 'feed':
      return parseXml(text);
  }
}

function parseStrict(text: string): ExactValue {
  const bytes = Buffer.from(text);
  checkJson(bytes);
  return parseExact(bytes);
}

function parseCsv(text: string): ExactValue {
  const { data, errors, meta } = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: 'greedy' });
  // One column only is no error: nothing tells then what separates columns.
  const error = errors.find(({ code }) => code !== 'UndetectableDelimiter');
  if (error !== undefined) throw new Error(`row ${(error.row ?? 0) + 1}: ${error.message}.`);
  if (meta.fields === undefined || meta.fields.length === 0) throw new Error('there is no head line.');
  return data;
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  textNodeName: '#text',
  parseTagValue: false,
  parseAttributeValue: false,
  htmlEntities: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
});

function parseXml(text: string): ExactValue {
  // A document that defines entities could expand to gigabytes, or read files elsewhere.
  if (/<!ENTITY/i.test(text)) throw new Error('it defines entities of its own, which is not allowed.');
  const valid = XMLValidator.validate(text, { allowBooleanAttributes: true });
  if (valid !== true) throw new Error(`line ${valid.err.line}: ${valid.err.msg}`);
  return parser.parse(text) as ExactValue;
}

function itemsAt(root: ExactValue, path: string, format: FetchFormat): ExactValue[] {
  const found = readAll(root, path);
  // Of a list's members each is an item, or a list of items.
  const star = path.search(/\.?(\*|\[\*\])/);
  if (found.length === 0) {
    if (star >= 0 && readAll(root, path.slice(0, star)).length > 0) return [];
    // An empty list in XML is an element without children, or none at all.
    if (format === 'xml' && path !== '' && readAll(root, parentOf(path)).length > 0) return [];
    throw new FetchFailure('not_understood', `The answer has nothing at items, ${path}.`);
  }
  if (star >= 0) return path.endsWith('*') || path.endsWith('[*]') ? found : (found.flat() as ExactValue[]);
  return found.flatMap((value) => {
    if (Array.isArray(value)) return [...(value as readonly ExactValue[])];
    if (format === 'xml') return value === '' ? [] : [value];
    const what =
      value === null ? 'null' : typeof value === 'object' && !(value instanceof ExactNumber) ? 'an object' : 'a value';
    throw new FetchFailure(
      'not_understood',
      `At items, ${path === '' ? 'the root' : path}, there is ${what} and no list. Give the path of the list, or changes by document.`,
    );
  });
}

function parentOf(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot < 0 ? '' : path.slice(0, dot);
}
