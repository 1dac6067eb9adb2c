// What a scenario is to reach, beside what it did reach: in the table, and in the JSON for whoever compares runs.
import { formatNumber, roundTo } from './table.ts';

export interface Bound {
  /** In the JSON. */
  name: string;
  /** In the table's notes. */
  words: string;
  /** Null when it was not measured. */
  value: number | null;
  /** Which of the two is wanted. */
  atMost?: number;
  atLeast?: number;
  decimals?: number;
}

/** Whether it was reached; what was not measured was not. */
export function isMet({
  value,
  atMost = Number.POSITIVE_INFINITY,
  atLeast = Number.NEGATIVE_INFINITY,
}: Bound): boolean {
  return value !== null && value <= atMost && value >= atLeast;
}

/** By name, `{value, atMost or atLeast, met}`. */
export function boundsToJson(bounds: Bound[]): Record<string, unknown> {
  return Object.fromEntries(
    bounds.map((bound) => {
      const { name, value, atMost, atLeast, decimals = 3 } = bound;
      const wanted = atMost === undefined ? { atLeast } : { atMost };
      return [name, { value: roundTo(value, decimals), ...wanted, met: isMet(bound) }];
    }),
  );
}

/** One sentence each: `Takeover after SIGKILL, ms: 8,120; wanted ≤ 12,000: met.` */
export function boundsToNotes(bounds: Bound[]): string[] {
  return bounds.map((bound) => {
    const { words, value, atMost, atLeast, decimals = 3 } = bound;
    const wanted =
      atMost === undefined ? `≥ ${formatNumber(atLeast!, decimals)}` : `≤ ${formatNumber(atMost, decimals)}`;
    return `${words}: ${formatNumber(value, decimals)}; wanted ${wanted}: ${isMet(bound) ? 'met' : 'MISSED'}.`;
  });
}
