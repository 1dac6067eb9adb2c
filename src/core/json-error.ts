// Says in words what makes a body no JSON, and where. It runs only for bodies that are refused, so it may take its time:
// it reads the body again up to the error, which the scanner has found to be sound.
import { TidingsError } from './errors.ts';

const PROBLEMS = {
  empty: 'it has no value; send one JSON value',
  encoding: 'it is not UTF-8; send the body encoded as UTF-8',
  bom: 'it begins with a byte order mark (EF BB BF); send UTF-8 without one',
  cut: 'it ends before its value does; was it cut off?',
  value: 'a value is expected; write an object, an array, a string in double quotes, a number, true, false or null',
  key: 'a key in double quotes is expected; quote it, or remove a comma before }',
  colon: 'a colon is expected between key and value',
  afterMember: 'a comma or } is expected after a member of an object',
  afterElement: 'a comma or ] is expected after an element of an array',
  trailing: 'something follows the value; send exactly one JSON value',
  depth: 'objects and arrays are nested too deeply; flatten the value',
  duplicate: 'the key stands twice in its object; keep one of them',
  control: 'a control character stands inside a string; write it as an escape such as \\n or \\u0000',
  escape:
    'a string has an unknown escape; the known ones are \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hexadecimal digits',
  digit: 'a digit is expected in a number',
  leadingZero: 'a number has a leading zero; write it without',
} as const;
export type JsonProblem = keyof typeof PROBLEMS;

/** The error for a problem at a byte offset; `errors[0].path` is the JSON pointer (RFC 6901) of the value it is in. */
export function invalidJson(body: Buffer, offset: number, problem: JsonProblem): TidingsError {
  let at = offset;
  let name = problem;
  if (problem === 'encoding') at = firstBadByte(body);
  else if (problem !== 'empty' && offset >= body.length) name = 'cut';
  const lineStart = at === 0 ? 0 : body.lastIndexOf(0x0a, at - 1) + 1;
  let line = 1;
  for (let i = 0; i < lineStart; i++) if (body[i] === 0x0a) line++;
  const column = body.toString('utf8', lineStart, at).length + 1;
  const path =
    name === 'encoding' || name === 'bom' || name === 'empty' ? '' : pointerTo(body, at, name === 'duplicate');
  const place = `line ${line}, column ${column} (byte ${at})${path === '' ? '' : `, in ${path}`}`;
  return new TidingsError('invalid_json', `The body is not valid JSON at ${place}: ${PROBLEMS[name]}.`, {
    errors: [{ path, message: PROBLEMS[name] }],
  });
}

/** Where decoding first has to replace something. */
function firstBadByte(body: Buffer): number {
  const repaired = Buffer.from(body.toString('utf8'));
  let i = 0;
  while (i < body.length && body[i] === repaired[i]) i++;
  return i;
}

/** The pointer to what the byte at `offset` belongs to; `atKey` = a key begins there, and is part of the pointer. */
function pointerTo(body: Buffer, offset: number, atKey: boolean): string {
  // For an open array the index of its element, for an open object the range of its last key, or null before the first.
  const open: (number | [from: number, to: number] | null)[] = [];
  let keyExpected = false;
  for (let i = 0; i < offset || (atKey && i === offset); i++) {
    const c = body[i];
    if (c === 0x22) {
      const from = i++;
      while (i < body.length && body[i] !== 0x22) i += body[i] === 0x5c ? 2 : 1;
      if (!keyExpected || (i >= offset && !atKey)) continue;
      open[open.length - 1] = [from, i + 1];
      keyExpected = false;
    } else if (c === 0x7b || c === 0x5b) {
      keyExpected = c === 0x7b;
      open.push(keyExpected ? null : 0);
    } else if (c === 0x7d || c === 0x5d) {
      keyExpected = false;
      open.pop();
    } else if (c === 0x2c) {
      const step = open.at(-1);
      keyExpected = typeof step !== 'number';
      open[open.length - 1] = typeof step === 'number' ? step + 1 : null;
    }
  }
  const steps = open.map((step) => (Array.isArray(step) ? JSON.parse(body.toString('utf8', ...step)) : step));
  return jsonPointer(steps.filter((step) => step !== null));
}

/** A JSON pointer (RFC 6901) from its steps. */
export function jsonPointer(steps: readonly (string | number)[]): string {
  return steps.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
