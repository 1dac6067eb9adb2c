// Where a process tells what happens to it: standard error, a line of JSON each.
import { type Logger, pino } from 'pino';
import type { Config } from './config.ts';

export function openLog({ logLevel }: Pick<Config, 'logLevel'>): Logger {
  return pino({ level: logLevel }, pino.destination(2));
}

/** What background parts tell their errors to. */
export function onErrorOf(log: Logger): (error: unknown) => void {
  return (error) => log.error({ err: error }, (error as Error).message);
}
