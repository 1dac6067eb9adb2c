// Regular expressions that users write, in the syntax of RE2 (github.com/google/re2/wiki/Syntax) and in time linear in the text: there are no
// look-arounds and no back-references. Each keeps its automaton within a few kilobytes, as there may be thousands; one that does not fit is
// simulated state by state instead, which takes some 20 ns for each character and instruction.
import { LRUCache } from 'lru-cache';
import { RE2JS, RE2Set } from 're2js';

export const MAX_PATTERN_CHARS = 256;
/** Of the compiled pattern: `[a-z]{50}` has 51. */
export const MAX_PATTERN_INSTRUCTIONS = 250;
const MAX_AUTOMATON_BYTES = 32 * 1024;
/** Patterns that are kept for the next filter with the same: compiling one takes a few hundred microseconds. */
const MAX_KEPT_PATTERNS = 500;

export interface LinearPattern {
  /** Whether the pattern is found anywhere in the text. */
  test(text: string): boolean;
  /** What one character of a text may cost at most, in steps of some 10 ns. */
  stepsPerChar: number;
}

/** Letters, digits and what has no meaning in a pattern. */
const LITERAL = /^[\w @#%&=:;,'"<>/!~`-]+$/;

/** What is wrong with a pattern, in words; null when it can be compiled. */
export function checkPattern(pattern: string): string | null {
  if (pattern.length > MAX_PATTERN_CHARS) {
    return `The pattern has ${pattern.length} characters; ${MAX_PATTERN_CHARS} are the most.`;
  }
  try {
    const size = RE2JS.compile(pattern).programSize();
    if (size <= MAX_PATTERN_INSTRUCTIONS) return null;
    return `The pattern is too large: it compiles to ${size} instructions, and ${MAX_PATTERN_INSTRUCTIONS} are the most. Use smaller repeat counts.`;
  } catch (error) {
    const reason = (error as Error).message.replace(/^error parsing regexp: /, '');
    return `This is no regular expression in the syntax of RE2: ${reason}. It has no look-arounds and no back-references.`;
  }
}

const kept = new LRUCache<string, LinearPattern>({ max: MAX_KEPT_PATTERNS });

/** A pattern that was checked. */
export function compileLinearPattern(pattern: string): LinearPattern {
  if (LITERAL.test(pattern)) return { test: (text) => text.includes(pattern), stepsPerChar: 0.1 };
  let compiled = kept.get(pattern);
  if (compiled === undefined) {
    const set = new RE2Set(RE2Set.UNANCHORED, 0, MAX_AUTOMATON_BYTES);
    set.add(pattern);
    set.compile();
    compiled = { test: (text) => set.match(text).length > 0, stepsPerChar: 2 * RE2JS.compile(pattern).programSize() };
    kept.set(pattern, compiled);
  }
  return compiled;
}
