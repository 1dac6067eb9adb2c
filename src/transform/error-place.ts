// Where in the code an error happened. The engine notes places at calls, assignments and `throw` only, so for others it names the one before. What it
// says of the property or name that was at fault leads on from there to the next place that has it.

export interface Place {
  line: number | null;
  column: number | null;
}

const PROPERTY = /^TypeError: cannot (?:read|set) property '([\w$]+)' of /;
const NAME = /^ReferenceError: ([\w$]+) is not defined$/;

/** `stack` is the engine's; lines and columns count from 1. */
export function placeOf(code: string, file: string, { message, stack }: { message: string; stack: string }): Place {
  const [, line, column] = new RegExp(`${file.replaceAll('.', '\\.')}:(\\d+)(?::(\\d+))?`).exec(stack) ?? [];
  if (line === undefined) return { line: null, column: null };
  const noted = { line: Number(line), column: column === undefined ? null : Number(column) };
  const at = accessAfter(code, offsetOf(code, noted), message);
  return at === null ? noted : placeAt(code, at);
}

function accessAfter(code: string, from: number, message: string): number | null {
  const property = PROPERTY.exec(message)?.[1];
  const name = NAME.exec(message)?.[1];
  const word = (property ?? name)?.replaceAll('$', '\\$');
  if (word === undefined) return null;
  const access =
    property === undefined
      ? new RegExp(`(?<![\\w$.])${word}(?![\\w$])`, 'g')
      : new RegExp(`\\.\\s*${word}(?![\\w$])|\\[\\s*['"\`]${word}['"\`]\\s*\\]`, 'g');
  access.lastIndex = from;
  return access.exec(code)?.index ?? null;
}

function offsetOf(code: string, { line, column }: { line: number; column: number | null }): number {
  let at = 0;
  for (let n = 1; n < line; n++) at = code.indexOf('\n', at) + 1;
  return at + (column ?? 1) - 1;
}

function placeAt(code: string, at: number): Place {
  const before = code.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}
