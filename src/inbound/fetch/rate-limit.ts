// How long an API is to be left alone by its rate limit headers: `RateLimit` and `RateLimit-Remaining`/`-Reset` (the drafts of the IETF) and
// `X-RateLimit-*`, whose reset is seconds from now or a time.

type Headers = Readonly<Record<string, string | string[] | undefined>>;

const MAX_WAIT_MS = 24 * 3_600_000;
/** A reset above this is a time and no delay. */
const TIME_FROM_SECONDS = 1_000_000_000;

/** Milliseconds until something may be asked again when nothing remains; null when something does, or nothing is said. */
export function limitedForMs(headers: Headers, nowMs: number): number | null {
  const one = text(headers.ratelimit);
  if (one !== null) {
    const remaining = /(?:\br|\bremaining)=(\d+)/.exec(one)?.[1];
    const reset = /(?:\bt|\breset)=(\d+)/.exec(one)?.[1];
    if (remaining !== undefined && reset !== undefined) return waitMs(remaining, reset, nowMs);
  }
  for (const prefix of ['ratelimit', 'x-ratelimit', 'x-rate-limit']) {
    const remaining = text(headers[`${prefix}-remaining`]);
    const reset = text(headers[`${prefix}-reset`]);
    if (remaining !== null && reset !== null) return waitMs(remaining, reset, nowMs);
  }
  return null;
}

function waitMs(remaining: string, reset: string, nowMs: number): number | null {
  const [left, seconds] = [Number(remaining), Number(reset)];
  if (!(left < 1) || !(seconds >= 0)) return null;
  const untilMs = seconds > TIME_FROM_SECONDS ? seconds * 1000 - nowMs : seconds * 1000;
  return Math.min(Math.max(untilMs, 0), MAX_WAIT_MS);
}

function text(value: string | string[] | undefined): string | null {
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
