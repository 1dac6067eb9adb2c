/**
 * As much of a text as fits in `max` UTF-16 code units, with `…` at its end where something was left out. `write` gives a character as
 * it goes out: escaped characters count as they are written, and none is cut in two.
 */
export function fitText(text: string, max: number, write: (character: string) => string = asItIs): string {
  let out = '';
  let fitting = 0; // of `out` with room for `…`
  for (const character of text.toWellFormed()) {
    out += write(character);
    if (out.length <= max - 1) fitting = out.length;
    else if (out.length > max) return `${out.slice(0, fitting)}…`;
  }
  return out;
}

function asItIs(character: string): string {
  return character;
}
