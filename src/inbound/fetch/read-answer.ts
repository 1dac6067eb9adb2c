// Asks an API for all pages of an answer, and reads their items. What an API does wrong ends the run: half an answer is none.
import { createHash } from 'node:crypto';
import type { ExactValue } from '../../core/formats/exact-json.ts';
import { parseRetryAfter } from '../../net/retry-after.ts';
import { changesOf, type FetchConfig } from './fetch-config.ts';
import { FetchFailure } from './fetch-failure.ts';
import type { FetchState } from './fetch-state.ts';
import { type FetchedItem, fetchedItem } from './fetched-item.ts';
import { sinceMs } from './find-changes.ts';
import type { Fetcher, HttpAnswer } from './http-fetcher.ts';
import { readText } from './item-path.ts';
import { firstPage, nextPage, type PagePlace } from './next-page.ts';
import { limitedForMs } from './rate-limit.ts';
import type { readItems } from './read-items.ts';
import { fillText, fillUrl, type PlaceValues } from './template.ts';

export interface AnswerParts {
  fetcher: Fetcher;
  version: string;
  now: () => number;
  /** The header's value, for a source with OAuth2; `refused`: the one before was not taken. */
  accessToken: (refused: boolean) => Promise<string>;
}

/** Counted while it goes on, so that a run that fails can tell how far it came. */
export interface RunTally {
  pages: number;
  items: number;
  bytes: number;
  status: number | null;
}

export interface FetchedAnswer {
  /** 304: there is nothing else to know. */
  isUnchanged: boolean;
  items: FetchedItem[];
  isCapped: boolean;
  isFeed: boolean;
  cursor: string | null;
  validators: FetchState['validators'];
  /** See rate-limit.ts. */
  limitedMs: number | null;
  /** By the clock of the API, milliseconds since 1970. */
  nowMs: number;
}

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_PAGES = 20;
const MAX_ITEMS = 50_000;
const MAX_RUN_BYTES = 64 * 1024 * 1024;
/** Of an event's data. */
const MAX_ITEM_BYTES = 1024 * 1024;
const THROTTLED = new Set([403, 429, 503]);

/** @throws FetchFailure */
export async function readAnswer(
  parts: AnswerParts,
  { config, state }: { config: FetchConfig; state: FetchState },
  tally: RunTally,
): Promise<FetchedAnswer> {
  const { pages } = config;
  const fromMs = sinceMs(config, state, parts.now());
  const answer: FetchedAnswer = {
    isUnchanged: false,
    items: [],
    isCapped: false,
    isFeed: false,
    cursor: null,
    validators: null,
    limitedMs: null,
    nowMs: parts.now(),
  };
  const seen = new Set<string>();
  let origin: string | null = null;
  let place: PagePlace | null = firstPage(pages);
  for (;;) {
    const url = pageUrl(config, placeValues(state, fromMs, place), place);
    const isFirst = seen.size === 0;
    origin ??= new URL(url).origin;
    refuseOrigin(url, origin);
    const asked = JSON.stringify([url, place]);
    if (seen.has(asked)) {
      throw new FetchFailure('misconfigured', 'The API leads back to a page that was read already. Look at pages.');
    }
    seen.add(asked);
    const response = await ask(parts, config, { url, place, state, fromMs, isFirst });
    tally.status = response.status;
    tally.bytes += response.body.length;
    answer.limitedMs = limitedForMs(response.headers, parts.now());
    if (response.status === 304) return { ...answer, isUnchanged: true };
    refuseStatus(response, parts.now());
    tally.pages++;
    // Its parsers of XML and CSV take 4 MB: a server that fetches nothing does without.
    const { readItems } = await import('./read-items.ts');
    const page = readPage(readItems, response, config, answer);
    tally.items = answer.items.length;
    if (tally.bytes > MAX_RUN_BYTES || tally.items > MAX_ITEMS) {
      throw new FetchFailure(
        'too_large',
        `The answer has more than ${MAX_ITEMS} items or ${MAX_RUN_BYTES} bytes. Ask for less at a time.`,
      );
    }
    const { link, etag, 'last-modified': lastModified } = response.headers;
    if (isFirst) {
      const date = Date.parse(response.headers.date ?? '');
      if (!Number.isNaN(date)) answer.nowMs = date;
      if (etag !== undefined || lastModified !== undefined) {
        answer.validators = { url, readBy: readBy(config), etag: etag ?? null, lastModified: lastModified ?? null };
      }
    }
    place = nextPage(pages, {
      index: tally.pages - 1,
      url: response.url,
      link: Array.isArray(link) ? link.join(', ') : (link ?? null),
      root: page.root,
      items: page.items.length,
      itemsSoFar: answer.items.length,
    });
    if (place === null || isBefore(page.items, fromMs)) break;
    answer.validators = null; // they are of one page only
    if (tally.pages >= (pages?.max ?? DEFAULT_MAX_PAGES)) {
      answer.isCapped = true;
      break;
    }
  }
  return answer;
}

function placeValues(state: FetchState, fromMs: number | null, place: PagePlace | null): PlaceValues {
  return {
    since: fromMs === null ? null : new Date(fromMs).toISOString(),
    sinceSeconds: fromMs === null ? null : String(Math.floor(fromMs / 1000)),
    sinceMs: fromMs === null ? null : String(fromMs),
    cursor: state.cursor,
    page: place !== null && 'value' in place ? place.value : null,
  };
}

function pageUrl(config: FetchConfig, values: PlaceValues, place: PagePlace | null): string {
  const filled = place !== null && 'url' in place ? place.url : fillUrl(config.url, values);
  if (!URL.canParse(filled)) throw new FetchFailure('misconfigured', 'The url is none once its places are filled.');
  const url = new URL(filled);
  const param = config.pages?.param;
  if (place !== null && 'value' in place && param !== undefined) url.searchParams.set(param, place.value);
  if (config.auth?.type === 'query') url.searchParams.set(config.auth.name, config.auth.value);
  return url.href;
}

/** What is shown to one origin is not shown to another, wherever the API says its next page is. */
function refuseOrigin(url: string, origin: string): void {
  const other = new URL(url).origin;
  if (other === origin) return;
  throw new FetchFailure('misconfigured', `The next page is at ${other}, and not at ${origin}: it is not asked for.`);
}

interface Ask {
  url: string;
  place: PagePlace | null;
  state: FetchState;
  fromMs: number | null;
  isFirst: boolean;
}

async function ask(parts: AnswerParts, config: FetchConfig, asked: Ask): Promise<HttpAnswer> {
  const first = await askOnce(parts, config, asked, false);
  if (first.status !== 401 || config.auth?.type !== 'oauth2') return first;
  return askOnce(parts, config, asked, true);
}

async function askOnce(parts: AnswerParts, config: FetchConfig, asked: Ask, refused: boolean): Promise<HttpAnswer> {
  const { url, place, state, fromMs, isFirst } = asked;
  const method = config.method ?? 'GET';
  const headers: Record<string, string> = {
    accept: 'application/json, application/xml;q=0.9, text/csv;q=0.9, */*;q=0.5',
    'user-agent': `Tidings/${parts.version}`,
  };
  const text = config.body;
  if (text !== undefined) headers['content-type'] = 'application/json';
  for (const [name, value] of Object.entries(config.headers ?? {})) headers[name.toLowerCase()] = value;
  const { auth } = config;
  if (auth?.type === 'bearer') headers.authorization = `Bearer ${auth.token}`;
  if (auth?.type === 'header') headers[auth.name.toLowerCase()] = auth.value;
  if (auth?.type === 'basic') {
    headers.authorization = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
  }
  if (auth?.type === 'oauth2') headers.authorization = `Bearer ${await parts.accessToken(refused)}`;
  const { validators } = state;
  if (
    isFirst &&
    method === 'GET' &&
    state.isStarted &&
    validators?.url === url &&
    validators.readBy === readBy(config)
  ) {
    if (validators.etag !== null) headers['if-none-match'] = validators.etag;
    if (validators.lastModified !== null) headers['if-modified-since'] = validators.lastModified;
  }
  const values = placeValues(state, fromMs, place);
  const body = text === undefined ? null : fillText(text, jsonSafe(values));
  return parts.fetcher.request({ method, url, headers, body, timeoutMs: config.timeoutMs ?? DEFAULT_TIMEOUT_MS });
}

/** Of what decides how an answer is read: with another of these the same answer may tell something else. */
function readBy({ format, items, key, time, changes }: FetchConfig): string {
  return createHash('sha256')
    .update(JSON.stringify([format, items, key, time, changes]))
    .digest('base64url')
    .slice(0, 16);
}

/** Places in a body stand within the strings of JSON. */
function jsonSafe(values: PlaceValues): PlaceValues {
  const safe = (value: string | null): string | null => (value === null ? null : JSON.stringify(value).slice(1, -1));
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, safe(value)]));
}

function refuseStatus({ status, headers, body, url }: HttpAnswer, nowMs: number): void {
  if (status >= 200 && status < 300) return;
  const retryAfter = headers['retry-after'];
  const askedMs = retryAfter === undefined ? null : parseRetryAfter(retryAfter, nowMs);
  const retryAfterMs = askedMs ?? limitedForMs(headers, nowMs);
  const words = body.toString('utf8', 0, 300).replace(/\s+/g, ' ').replaceAll('\u0000', '').trim();
  const detail = `${new URL(url).origin} answered ${status}${words === '' ? '' : `: ${words}`}`;
  if (status === 429 || (retryAfterMs !== null && THROTTLED.has(status))) {
    throw new FetchFailure('throttled', detail, { status, retryAfterMs });
  }
  if (status === 401 || status === 403) throw new FetchFailure('unauthorized', detail, { status });
  if (status === 410) throw new FetchFailure('gone', detail, { status });
  throw new FetchFailure(status >= 500 ? 'unreachable' : 'refused', detail, { status });
}

/** Adds the items of a page to the answer. */
function readPage(
  read: typeof readItems,
  { body, headers, status }: HttpAnswer,
  config: FetchConfig,
  answer: FetchedAnswer,
): { root: ExactValue; items: FetchedItem[] } {
  const changes = changesOf(config);
  const none = { root: null, items: [], format: 'json' as const };
  const type = headers['content-type'] ?? '';
  const page = status === 204 ? none : read(body, type, config, changes.by === 'document');
  answer.isFeed = page.format === 'feed';
  const items = page.items.map((value, i) => fetchedItem(value, answer.items.length + i, config, answer.isFeed));
  const large = items.findIndex(({ data }) => data.length > MAX_ITEM_BYTES);
  if (large >= 0) {
    throw new FetchFailure(
      'too_large',
      `Item ${answer.items.length + large + 1} has ${items[large].data.length} bytes; an event has ${MAX_ITEM_BYTES} at most.`,
    );
  }
  for (const item of items) answer.items.push(item);
  if (changes.by === 'cursor') {
    const header = changes.header === undefined ? undefined : headers[changes.header.toLowerCase()];
    const found = changes.path === undefined ? header : readText(page.root, changes.path);
    if (typeof found === 'string' && found !== '') answer.cursor = found;
  }
  return { root: page.root, items };
}

/** Newest first, and all that follows is older than what matters. */
function isBefore(items: readonly FetchedItem[], fromMs: number | null): boolean {
  if (fromMs === null || items.length === 0) return false;
  const times = items.map(({ timeMs }) => timeMs ?? Number.POSITIVE_INFINITY);
  const isNewestFirst = times.every((ms, i) => i === 0 || ms <= times[i - 1]);
  return isNewestFirst && times[times.length - 1] < fromMs;
}
