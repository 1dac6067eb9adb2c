// Times as the API writes and reads them: RFC 3339. Only years 0001 to 9999 are held, as there the text, a Date and a
// timestamp of Postgres agree. Both directions are on the path of every event, and a Date is slow at them.

export const MIN_TIME_MS = -62_135_596_800_000;
export const MAX_TIME_MS = 253_402_300_799_999;

const DAY_MS = 86_400_000;
const TWO_DIGITS = Array.from({ length: 60 }, (_, i) => String(i).padStart(2, '0'));
const MILLISECONDS = Array.from({ length: 1000 }, (_, i) => `.${String(i).padStart(3, '0')}Z`);

// Events come in order of time, so the day and mostly the second is that of the one before.
let lastDay = Number.NaN;
let dayText = '';
let lastSecond = Number.NaN;
let secondText = '';

/** `2026-11-21T10:00:00.000Z` for whole milliseconds since 1970 between MIN_TIME_MS and MAX_TIME_MS. */
export function formatTime(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== lastSecond) {
    const day = Math.floor(second / 86_400);
    if (day !== lastDay) {
      dayText = new Date(day * DAY_MS).toISOString().slice(0, 11);
      lastDay = day;
    }
    const rest = second - day * 86_400;
    const minutes = Math.floor(rest / 60);
    const hour = Math.floor(minutes / 60);
    secondText = `${dayText}${TWO_DIGITS[hour]}:${TWO_DIGITS[minutes - hour * 60]}:${TWO_DIGITS[rest - minutes * 60]}`;
    lastSecond = second;
  }
  return secondText + MILLISECONDS[ms - second * 1000];
}

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d{1,18}))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/;

/**
 * Milliseconds since 1970 of an RFC 3339 time with any offset, or null when it is not one or not within the years held.
 * Digits beyond milliseconds are cut off. A leap second (23:59:60 UTC) is the first instant of the next day, as in POSIX.
 */
export function parseTime(text: string): number | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour, offsetMinute] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day)); // Date.UTC takes the years 0 to 99 for 1900 to 1999
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return null;
  const offsetMinutes = sign === undefined ? 0 : Number(offsetHour) * 60 + Number(offsetMinute);
  const minutes = Number(hour) * 60 + Number(minute) - (sign === '-' ? -offsetMinutes : offsetMinutes);
  if (second === '60' && (minutes + 1440) % 1440 !== 1439) return null;
  const ms = date.getTime() + (minutes * 60 + Number(second)) * 1000 + Number(fraction.slice(0, 3).padEnd(3, '0'));
  return ms < MIN_TIME_MS || ms > MAX_TIME_MS ? null : ms;
}
