// Where the next page is: by the Link header (RFC 8288), a URL or cursor in the body, a page number or an offset.
import type { ExactValue } from '../../core/formats/exact-json.ts';
import type { FetchPages } from './fetch-config.ts';
import { readText } from './item-path.ts';

/** What a request asks for beyond the first page: another URL altogether, or a value for `param` and `{page}`. */
export type PagePlace = { url: string } | { value: string };

export interface PageRead {
  /** Its number, from 0. */
  index: number;
  /** Of the request that gave it, after redirects. */
  url: string;
  link: string | null;
  root: ExactValue;
  items: number;
  /** On it and all before it. */
  itemsSoFar: number;
}

/** What the first page is asked for with. */
export function firstPage(pages: FetchPages | undefined): PagePlace | null {
  if (pages?.by === 'page') return { value: String(pages.first ?? 1) };
  return pages?.by === 'offset' ? { value: String(pages.first ?? 0) } : null;
}

/** Null = that was the last. */
export function nextPage(pages: FetchPages | undefined, page: PageRead): PagePlace | null {
  switch (pages?.by) {
    case undefined:
      return null;
    case 'link':
      return inUrl(page.link === null ? null : nextLink(page.link), page.url);
    case 'nextUrl':
      return inUrl(readText(page.root, pages.path ?? ''), page.url);
    case 'cursor': {
      const value = readText(page.root, pages.path ?? '');
      return value === null || value === '' ? null : { value };
    }
    case 'page':
    case 'offset': {
      if (page.items === 0 || (pages.size !== undefined && page.items < pages.size)) return null;
      return {
        value: String(pages.by === 'page' ? (pages.first ?? 1) + page.index + 1 : (pages.first ?? 0) + page.itemsSoFar),
      };
    }
  }
}

function inUrl(reference: string | null, base: string): PagePlace | null {
  if (reference === null || reference === '') return null;
  return URL.canParse(reference, base) ? { url: new URL(reference, base).href } : null;
}

/** The target of the link with rel="next" (RFC 8288, section 3). */
function nextLink(header: string): string | null {
  for (const [, target, parameters] of header.matchAll(
    /<([^>]*)>((?:\s*;\s*[\w*-]+\s*(?:=\s*(?:"[^"]*"|[^",;\s]*))?)*)/g,
  )) {
    const rel = /;\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]*))/i.exec(parameters);
    if ((rel?.[1] ?? rel?.[2] ?? '').toLowerCase().split(/\s+/).includes('next')) return target;
  }
  return null;
}
