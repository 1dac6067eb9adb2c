// Regular expressions in schemas. They run in linear time whatever they are (RE2), and each keeps its automaton within a few kilobytes, as
// there may be thousands. A large one costs more per character than a small one, so what a match may cost is told.
import { RE2JS, RE2Set } from 're2js';

const MAX_PATTERN_CHARS = 1000;
const MAX_PATTERN_SIZE = 1000;
/** An automaton that does not fit is simulated state by state. */
const MAX_AUTOMATON_BYTES = 32 * 1024;

export interface Pattern {
  test(text: string): boolean;
  /** Of a match on a text of so many characters, in steps as a Budget counts them. */
  cost(chars: number): number;
}

/** @throws Error that says what is wrong: it is no regular expression, or one that does not run in linear time (look-ahead, back references). */
export function compilePattern(source: string): Pattern {
  if (source.length > MAX_PATTERN_CHARS) throw new Error(`it has more than ${MAX_PATTERN_CHARS} characters`);
  const set = new RE2Set(RE2Set.UNANCHORED, 0, MAX_AUTOMATON_BYTES);
  let size: number;
  try {
    const translated = RE2JS.translateRegExp(source);
    size = RE2JS.compile(translated).programSize();
    set.add(translated);
    set.compile();
  } catch (error) {
    throw new Error((error as Error).message.replace(/^error parsing regexp: /, ''));
  }
  if (size > MAX_PATTERN_SIZE) throw new Error('it is too large: repeat fewer times');
  // As measured at the worst: it grows with the size at first, and hardly any more where characters lead to few of many states.
  const perChar = 4 + 2 * Math.min(size, 20) + size / 20;
  return {
    test: (text) => set.match(text).length > 0,
    cost: (chars) => chars * perChar,
  };
}
