// Texts with places to be filled: `https://api.example.com/orders?since={since}`, `order.{status}`.

const PLACE = /\{([A-Za-z_$][\w.[\]*$-]*)\}/g;

export const REQUEST_PLACEHOLDERS: readonly string[] = ['since', 'sinceSeconds', 'sinceMs', 'cursor', 'page'];

export type PlaceValues = Readonly<Record<string, string | null>>;

export function placeholdersOf(text: string): string[] {
  return [...text.matchAll(PLACE)].map(([, name]) => name);
}

/** Fills places by name; one without a value becomes nothing, one that is unknown to `values` stays (JSON has braces of its own). */
export function fillText(text: string, values: PlaceValues): string {
  return text.replace(PLACE, (place, name: string) => (Object.hasOwn(values, name) ? (values[name] ?? '') : place));
}

/** Fills the places of a URL, percent-encoded; a query parameter whose place has no value is left out. */
export function fillUrl(text: string, values: PlaceValues): string {
  const fill = (part: string): string =>
    part.replace(PLACE, (place, name: string) =>
      Object.hasOwn(values, name) ? encodeURIComponent(values[name] ?? '') : place,
    );
  const mark = text.indexOf('?');
  if (mark < 0) return fill(text);
  const isEmpty = (pair: string): boolean =>
    placeholdersOf(pair).some((name) => Object.hasOwn(values, name) && values[name] === null);
  const pairs = text
    .slice(mark + 1)
    .split('&')
    .filter((pair) => !isEmpty(pair));
  return fill(text.slice(0, mark)) + (pairs.length > 0 ? `?${pairs.map(fill).join('&')}` : '');
}
