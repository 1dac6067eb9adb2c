// The ways to get the events of an app that are compared.

export interface ComparedKind {
  /** As in the JSON, `poll-5s`. */
  name: string;
  /** As in the tables. */
  label: string;
  via: 'nothing' | 'poll' | 'wait' | 'sse' | 'websocket' | 'webhook';
  /** From the start of one poll to that of the next. */
  intervalMs: number;
  /** How it gets what it missed while it was away. */
  madeGoodBy: string;
}

const CURSOR = 'its cursor';

/** @param pollSeconds the intervals of the short polls */
export function comparedKinds(pollSeconds: readonly number[]): ComparedKind[] {
  const open = { intervalMs: 0, madeGoodBy: CURSOR };
  return [
    { name: 'nobody', label: 'nobody reads', via: 'nothing', intervalMs: 0, madeGoodBy: '' },
    ...pollSeconds.map(
      (seconds): ComparedKind => ({
        name: `poll-${seconds}s`,
        label: `poll every ${seconds} s`,
        via: 'poll',
        intervalMs: seconds * 1000,
        madeGoodBy: CURSOR,
      }),
    ),
    { name: 'long-poll', label: 'long poll', via: 'wait', ...open },
    { name: 'sse', label: 'SSE', via: 'sse', ...open },
    { name: 'websocket', label: 'WebSocket', via: 'websocket', ...open },
    { name: 'webhook', label: 'webhook', via: 'webhook', intervalMs: 0, madeGoodBy: 'retries and backlog' },
  ];
}
