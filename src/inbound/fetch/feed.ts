// RSS 2.0, RSS 1.0 (RDF) and Atom 1.0 (RFC 4287) as one shape, so that a feed that changes its format stays the same source.
import type { ExactValue } from '../../core/formats/exact-json.ts';
import { readTimeMs } from './read-time.ts';

type Element = { readonly [name: string]: ExactValue };

/** Whether a parsed XML document is a feed. */
export function isFeed(root: ExactValue): boolean {
  return feedOf(root) !== null;
}

/** The entries as `{id, title, link, publishedAt, updatedAt, author, summary, content, categories}`, as many of these as there are. */
export function readFeed(root: ExactValue): ExactValue[] {
  const feed = feedOf(root);
  if (feed === null) throw new Error('it is no RSS or Atom feed.');
  return feed.entries.map(feed.read);
}

interface Feed {
  entries: Element[];
  read: (entry: Element) => ExactValue;
}

function feedOf(root: ExactValue): Feed | null {
  if (!isElement(root)) return null;
  if (isElement(root.rss)) {
    const { channel } = root.rss;
    return { entries: isElement(channel) ? elements(channel.item) : [], read: readRssItem };
  }
  if (isElement(root.feed)) return { entries: elements(root.feed.entry), read: readAtomEntry };
  const rdf = root['rdf:RDF'];
  return isElement(rdf) ? { entries: elements(rdf.item), read: readRssItem } : null;
}

function readRssItem(item: Element): ExactValue {
  const link = textOf(item.link);
  return withoutAbsent({
    id: textOf(item.guid) ?? textOf(item['@rdf:about']) ?? link ?? textOf(item.title),
    title: textOf(item.title),
    link,
    publishedAt: timeOf(item.pubDate) ?? timeOf(item['dc:date']),
    author: textOf(item.author) ?? textOf(item['dc:creator']),
    summary: textOf(item.description),
    content: textOf(item['content:encoded']),
    categories: list(item.category).map(textOf),
  });
}

function readAtomEntry(entry: Element): ExactValue {
  const links = elements(entry.link);
  const link = links.find((one) => (one['@rel'] ?? 'alternate') === 'alternate') ?? links[0];
  const authors = elements(entry.author);
  const updatedAt = timeOf(entry.updated);
  return withoutAbsent({
    id: textOf(entry.id) ?? textOf(link?.['@href']),
    title: textOf(entry.title),
    link: textOf(link?.['@href']),
    publishedAt: timeOf(entry.published) ?? updatedAt,
    updatedAt,
    author: textOf(authors[0]?.name),
    summary: textOf(entry.summary),
    content: textOf(entry.content),
    categories: elements(entry.category).map((one) => textOf(one['@term'])),
  });
}

function withoutAbsent(members: Record<string, string | null | (string | null)[]>): ExactValue {
  const kept: Record<string, ExactValue> = {};
  for (const [name, value] of Object.entries(members)) {
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    kept[name] = Array.isArray(value) ? value.filter((one) => one !== null) : value;
  }
  return kept;
}

function isElement(value: ExactValue | undefined): value is Element {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function list(value: ExactValue | undefined): ExactValue[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? [...(value as readonly ExactValue[])] : [value];
}

function elements(value: ExactValue | undefined): Element[] {
  return list(value).filter(isElement);
}

function textOf(value: ExactValue | undefined): string | null {
  const one = list(value)[0];
  if (typeof one === 'string') return one === '' ? null : one;
  return isElement(one) && typeof one['#text'] === 'string' ? one['#text'] : null;
}

function timeOf(value: ExactValue | undefined): string | null {
  const text = textOf(value);
  if (text === null) return null;
  const ms = readTimeMs(text);
  return ms === null ? text : new Date(ms).toISOString();
}
