// URLs in a text, without the punctuation that follows them.
const UNITS = /https?:\/\/[^\s<>"|]*[^\s<>"|.,;:!?)\]}']|[\s\S]/gu;
const CHARACTERS = /[\s\S]/gu;

/**
 * As much of a text as fits in `max` UTF-16 code units, with `…` at its end where something was left out. `write` gives a character, or a
 * whole URL, as it goes out: they count as they are written, and none is cut in two. A URL that is too long alone is cut, and written by
 * character, as it leads nowhere then.
 */
export function fitText(text: string, max: number, write: (unit: string) => string = asItIs): string {
  const wellFormed = text.toWellFormed();
  return (
    fitUnits(wellFormed.matchAll(UNITS), max, write) ?? fitUnits(wellFormed.matchAll(CHARACTERS), max, write) ?? ''
  );
}

/** null = not even the first unit fits, which is a URL. */
function fitUnits(units: Iterable<readonly string[]>, max: number, write: (unit: string) => string): string | null {
  let out = '';
  let fitting = 0; // of `out` with room for `…`
  for (const [unit] of units) {
    out += write(unit);
    if (out.length <= max - 1) fitting = out.length;
    else if (out.length > max) return fitting === 0 && isUrl(unit) ? null : `${out.slice(0, fitting)}…`;
  }
  return out;
}

/** As fitText, of text in a chat's markup: an entity (`&amp;`) or a link (`<https://…|text>`) is left out as a whole. */
export function fitMarkup(text: string, max: number): string {
  if (text.length <= max) return text.toWellFormed();
  let end = max - 1;
  const open = text.lastIndexOf('<', end - 1);
  if (open > text.lastIndexOf('>', end - 1)) end = open;
  const entity = text.lastIndexOf('&', end - 1);
  if (entity >= 0 && entity > end - MAX_ENTITY_LENGTH && !text.slice(entity, end).includes(';')) end = entity;
  if (/[\ud800-\udbff]/.test(text[end - 1] ?? '')) end--;
  return `${text.slice(0, end).toWellFormed()}…`;
}

const MAX_ENTITY_LENGTH = 8;

/** Whether a unit of fitText is a URL. */
export function isUrl(unit: string): boolean {
  return unit.length > 2;
}

function asItIs(unit: string): string {
  return unit;
}
