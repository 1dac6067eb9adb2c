// A filter as a query gives it: two lists and a `where` in JSON. What its values may be is core/filter.ts.
import type { EndpointFilter } from '../core/endpoint.ts';
import { type FieldError, TidingsError } from '../core/errors.ts';
import { checkFilter } from '../core/filter.ts';
import { checkJson } from '../core/json-scan.ts';

/** Of JSON: with more, a request line is too long for many a proxy. */
export const MAX_WHERE_CHARS = 8000;

export const FILTER_QUERY = {
  types: 'Only these types, separated by commas; `*` stands for any characters.',
  channels: 'Only events with at least one of these, separated by commas.',
  where: `Only events that meet these conditions: the \`where\` of a filter as percent-encoded JSON, at most ${MAX_WHERE_CHARS} characters of it. A larger one goes into a consumer.`,
};

/** The filter, and what is wrong with it: the paths begin with the names of the parameters. */
export function readFilterQuery(query: { types?: string; channels?: string; where?: string }): {
  filter: EndpointFilter;
  errors: FieldError[];
} {
  const { types, channels, where } = query;
  const filter: EndpointFilter = {
    ...(types !== undefined && { types: types.split(',') }),
    ...(channels !== undefined && { channels: channels.split(',') }),
  };
  const fault = where === undefined ? null : jsonFault(where);
  if (fault !== null) return { filter, errors: [...checkFilter(filter, ''), { path: '/where', message: fault }] };
  if (where !== undefined) filter.where = JSON.parse(where);
  return { filter, errors: checkFilter(filter, '') };
}

/** Why a text is no JSON, in words. */
function jsonFault(text: string): string | null {
  try {
    checkJson(Buffer.from(text));
    return null;
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    return `${error.detail.replace(/^The body/, 'This')} Give JSON, percent-encoded.`;
  }
}
