// When a source is fetched again. An API that fails is asked less and less often, one that asks for time is given it, and one that has nothing
// new may be asked more slowly.
import { Cron } from 'croner';
import { durationMs } from './duration.ts';
import { DEFAULT_EVERY, type FetchConfig } from './fetch-config.ts';
import type { FetchCause } from './fetch-failure.ts';

export interface RunSettled {
  config: Pick<FetchConfig, 'every' | 'slowest' | 'cron' | 'timeZone'>;
  failure: { reason: FetchCause; retryAfterMs: number | null } | null;
  /** Runs in a row, with this one, that failed, and that found nothing. */
  failedRuns: number;
  idleRuns: number;
  /** By the headers of the last answer nothing more is to be asked for so long; null = they say nothing. */
  limitedMs: number | null;
  nowMs: number;
  /** In [0, 1). */
  random: number;
}

const FIRST_RETRY_MS = 30_000;
const MAX_RETRY_MS = 3_600_000;
const JITTER = 0.05;
const MAX_JITTER_MS = 30_000;
/** Idle runs before the interval grows, and by how much with each further one. */
const PATIENT_RUNS = 3;
const GROWTH = 1.5;
/** About five days at an attempt an hour. */
export const FAILED_RUNS_TO_DISABLE = 125;
/** From then on it is said that the source fails. */
export const FAILED_RUNS_TO_TELL = 3;

/** Milliseconds since 1970. */
export function nextRunMs(run: RunSettled): number {
  const { config, failure, nowMs, random } = run;
  const askedMs = Math.max(failure?.retryAfterMs ?? 0, run.limitedMs ?? 0);
  const regularMs = config.cron === undefined ? nowMs + intervalMs(run) : nextCronMs(config, nowMs);
  const plannedMs =
    failure === null || failure.reason === 'throttled'
      ? regularMs
      : config.cron === undefined
        ? nowMs + Math.max(retryMs(run), Math.min(intervalMs(run), FIRST_RETRY_MS))
        : Math.min(regularMs, nowMs + retryMs(run));
  const spread = Math.min((plannedMs - nowMs) * JITTER, MAX_JITTER_MS);
  return Math.ceil(Math.max(plannedMs, nowMs + askedMs) + spread * random);
}

function retryMs({ failedRuns }: RunSettled): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.min(20, Math.max(0, failedRuns - 1)), MAX_RETRY_MS);
}

function intervalMs({ config, idleRuns }: RunSettled): number {
  const everyMs = durationMs(config.every ?? DEFAULT_EVERY);
  if (config.slowest === undefined || idleRuns <= PATIENT_RUNS) return everyMs;
  return Math.min(everyMs * GROWTH ** Math.min(50, idleRuns - PATIENT_RUNS), durationMs(config.slowest));
}

function nextCronMs({ cron, timeZone }: RunSettled['config'], nowMs: number): number {
  const next = new Cron(cron as string, { timezone: timeZone ?? 'UTC', paused: true }).nextRun(new Date(nowMs));
  // A time that never comes again: looked at once a day.
  return next?.getTime() ?? nowMs + 86_400_000;
}
