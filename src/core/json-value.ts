// JSON values as they were parsed: an object's members are its own, whatever they are called.

export type JsonObject = { readonly [key: string]: unknown };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two values are the same: objects whatever the order of their members, numbers as doubles. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, i) => isSameJson(element, b[i]));
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSameJson(a[key], b[key]))
  );
}

const SHOWN_CHARS = 300;

/** A value to show to people: as it is, or, when it is long, the beginning of its JSON as text. */
export function excerpt(value: unknown): unknown {
  if (typeof value === 'string') return value.length <= SHOWN_CHARS ? value : `${cut(value)}…`;
  if (typeof value !== 'object' || value === null) return value;
  const text = JSON.stringify(value);
  return text.length <= SHOWN_CHARS ? value : `${cut(text)}…`;
}

function cut(text: string): string {
  return text.slice(0, SHOWN_CHARS).toWellFormed();
}
