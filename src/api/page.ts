// Lists go by pages: `?limit=&page=` → `{data, nextPage}`. A page token is the place of the last row, in base64url: opaque to
// clients, and worthless in another app, as every list is read within the app of its path.
import { z } from 'zod';
import { type IdKind, parseId } from '../core/id.ts';
import { invalidFields } from './problem.ts';

const MAX_PAGE_LIMIT = 250;
const DEFAULT_PAGE_LIMIT = 50;

export const PAGE_QUERY = {
  limit: z.coerce.number().int().min(1).max(MAX_PAGE_LIMIT).default(DEFAULT_PAGE_LIMIT),
  page: z.string().max(1000).optional().describe('`nextPage` of the page before.'),
};

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    data: z.array(item),
    nextPage: z
      .string()
      .nullable()
      .describe('For the next page; null on the last one. A page may be short and not the last.'),
  });
}

/** The place of a row in a list that goes by id. */
export function idKey(kind: IdKind) {
  return z.string().refine((id) => parseId(kind, id) !== null);
}

export function encodePage(key: unknown): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** The place a page token stands for; null without a token. @throws TidingsError `invalid_request` */
export function decodePage<Key>(token: string | undefined, schema: z.ZodType<Key>): Key | null {
  if (token === undefined) return null;
  try {
    return schema.parse(JSON.parse(Buffer.from(token, 'base64url').toString('utf8')));
  } catch {
    throw invalidFields(
      [{ path: '/page', message: 'This is no page of this list. Leave it out to begin with the first page.' }],
      'query',
    );
  }
}

/** The page of a list that was read with one row more than asked for. */
export function cutPage<Item>(
  items: Item[],
  limit: number,
  keyOf: (item: Item) => unknown,
): { data: Item[]; nextPage: string | null } {
  const data = items.slice(0, limit);
  return { data, nextPage: items.length > limit ? encodePage(keyOf(data[data.length - 1])) : null };
}
