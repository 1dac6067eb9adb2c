// One request that waits for an app's log to go on.
import type { Head } from '../storage/heads.ts';
import type { LogReader } from './log-readers.ts';

export interface LogSource {
  knownHead(appId: string): Head | null;
  follow(appId: string, reader: LogReader): () => void;
}

/** Resolves with whether the log is beyond a position: true as soon as it is known to be; false when the time or the waiting is over. @throws TidingsError `too_many_requests` */
export function waitForLog(
  source: LogSource,
  request: { appId: string; position: number; timeoutMs: number; signal: AbortSignal },
): Promise<boolean> {
  const { appId, position, timeoutMs, signal } = request;
  if (signal.aborted || timeoutMs <= 0) return Promise.resolve(false);
  return new Promise((resolve) => {
    const unfollow = source.follow(appId, {
      moved: (head) => {
        if (head.position > position) end(true);
      },
    });
    const end = (hasMoved: boolean): void => {
      unfollow();
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(hasMoved);
    };
    const onAbort = (): void => end(false);
    const timer = setTimeout(onAbort, timeoutMs);
    signal.addEventListener('abort', onAbort);
    // What moved between the read that found nothing and this registration is not told again.
    const known = source.knownHead(appId);
    if (known !== null && known.position > position) end(true);
  });
}
