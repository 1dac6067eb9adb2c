import { parseTime } from '../../core/time.ts';

/** Below this a number counts seconds (until the year 5138), from there on milliseconds (since 1973). */
const SECONDS_BELOW = 100_000_000_000;
const DATE = /^\d{4}-\d\d-\d\d$/;
const LOCAL = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)( ?Z| ?[+-]\d\d:?\d\d| ?UTC)?$/;
// RFC 5322, as feeds have it: `Sat, 21 Nov 2026 10:00:00 +0100`.
const MAIL = /^(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(:\d\d)? (GMT|UTC?|Z|[+-]\d{4}|[ECMP][SD]T)$/;

/** Milliseconds since 1970 of a time as APIs write it: RFC 3339, a date, seconds or milliseconds, or RFC 5322. Without a zone it is UTC. */
export function readTimeMs(text: string): number | null {
  const trimmed = text.trim();
  if (/^\d{1,16}(\.\d+)?$/.test(trimmed)) {
    const number = Number(trimmed);
    return Math.floor(number < SECONDS_BELOW ? number * 1000 : number);
  }
  if (DATE.test(trimmed)) return parseTime(`${trimmed}T00:00:00Z`);
  const local = LOCAL.exec(trimmed);
  if (local !== null) {
    const zone = (local[3] ?? 'Z').trim().replace('UTC', 'Z');
    return parseTime(
      `${local[1]}T${local[2]}${/^[+-]\d{4}$/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone}`,
    );
  }
  if (!MAIL.test(trimmed)) return parseTime(trimmed);
  const ms = Date.parse(trimmed.replace(/ (UTC?|Z)$/, ' GMT'));
  return Number.isNaN(ms) ? null : ms;
}
