// A replay is a second cursor for an endpoint, over a past range of the log: events after `from` up to and including `to`.

/** all = what matches; failed = what waits for a retry or was given up; dead = what was given up. */
export const REPLAY_KINDS = ['all', 'failed', 'dead'] as const;
export type ReplayKind = (typeof REPLAY_KINDS)[number];

export const REPLAY_STATES = ['running', 'done', 'cancelled'] as const;
export type ReplayState = (typeof REPLAY_STATES)[number];

/** Each has a share of the endpoint's window: more at once would only be slower. */
export const MAX_RUNNING_REPLAYS = 10;
