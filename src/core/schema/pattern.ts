// Regular expressions of users. They run in linear time whatever they are (RE2), but a large one costs more per character than a small
// one: mostly some 0.2 µs, up to 40 µs where text and expression make the automaton be built over and over. So what a match may cost is told.
import { RE2JS } from 're2js';

const MAX_PATTERN_CHARS = 1000;
const MAX_PATTERN_SIZE = 1000;
/** From here on the costs of building the automaton can prevail. */
const LONG_TEXT_CHARS = 4096;
const LARGE_SIZE = 64;

export interface Pattern {
  test(text: string): boolean;
  /** Of a match on a text of so many characters, in steps as a Budget counts them. */
  cost(chars: number): number;
}

/** @throws Error that says what is wrong: it is no regular expression, or one that does not run in linear time (look-ahead, back references). */
export function compilePattern(source: string): Pattern {
  if (source.length > MAX_PATTERN_CHARS) throw new Error(`it has more than ${MAX_PATTERN_CHARS} characters`);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(source));
  } catch (error) {
    throw new Error((error as Error).message.replace(/^error parsing regexp: /, ''));
  }
  const size = compiled.programSize();
  if (size > MAX_PATTERN_SIZE) throw new Error('it is too large: repeat fewer times');
  const perChar = 4 + size / 2;
  return {
    test: (text) => compiled.test(text),
    cost: (chars) => chars * (chars > LONG_TEXT_CHARS && size > LARGE_SIZE ? perChar * 10 : perChar),
  };
}
