import { MAX_RETRY_AFTER_MS } from '../core/retry-policy.ts';

const DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d/;

/**
 * The delay that a `Retry-After` asks for (RFC 9110, section 10.2.3): seconds, or a date in any of the three forms of section 5.6.7,
 * which are all UTC. Clamped to 0 … 24 h; null when it is neither. Of repeated fields the first counts.
 */
export function parseRetryAfter(field: string | string[], nowMs: number): number | null {
  const value = (typeof field === 'string' ? field : field[0]).trim();
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, MAX_RETRY_AFTER_MS);
  if (!DATE.test(value)) return null;
  const atMs = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(atMs) ? null : Math.min(Math.max(atMs - nowMs, 0), MAX_RETRY_AFTER_MS);
}
