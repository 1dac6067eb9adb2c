// Failpoints: named places in the program where a test can make the process die, stand still, wait or fail. For tests only. With none armed
// a place costs the look at one variable that is null.

/** The places, and whether something can be waited for there: what runs within one turn of the event loop takes no delay. */
export const FAILPOINTS = {
  'writer.before_insert': 'waits',
  'writer.after_insert': 'waits',
  'writer.before_commit': 'waits',
  'writer.after_commit': 'waits',
  'writer.before_hand_over': 'sync',
  'writer.after_hand_over': 'sync',
  'publish.before_reply': 'sync',
  'lane.before_send': 'sync',
  'lane.after_send': 'sync',
  'flusher.before_flush': 'waits',
  'flusher.after_flush': 'waits',
  'ownership.before_renewal': 'waits',
  'ownership.after_renewal': 'waits',
  'ownership.before_take': 'waits',
  'ownership.after_take': 'waits',
  'ownership.before_hand_over': 'waits',
  'ownership.after_hand_over': 'waits',
} as const;
export type Failpoint = keyof typeof FAILPOINTS;

/** Ends the process (SIGKILL), halts it until it is continued (SIGSTOP), fails the place, or holds it up. */
export type FailpointAction = { kind: 'kill' } | { kind: 'stop' } | { kind: 'throw' } | { kind: 'delay'; ms: number };

export interface ArmedFailpoint {
  name: Failpoint;
  action: FailpointAction;
  /** Acts once, the n-th time that the place is reached; null = every time. */
  hit: number | null;
}

/** What an armed failpoint does to the process; core/ can do none of it itself. */
export interface FailpointEffects {
  kill(): void;
  stop(): void;
  pause(ms: number): Promise<void>;
}

class Armed {
  readonly #points: Map<string, ArmedFailpoint & { reached: number }>;
  readonly #effects: FailpointEffects;

  constructor(points: ArmedFailpoint[], effects: FailpointEffects) {
    this.#points = new Map(points.map((point) => [point.name, { ...point, reached: 0 }]));
    this.#effects = effects;
  }

  reach(name: Failpoint): Promise<void> | undefined {
    const point = this.#points.get(name);
    if (!point) return undefined;
    point.reached++;
    if (point.hit !== null && point.reached !== point.hit) return undefined;
    switch (point.action.kind) {
      case 'kill':
        this.#effects.kill();
        return undefined;
      case 'stop':
        this.#effects.stop();
        return undefined;
      case 'throw':
        throw new Error(`The failpoint ${name} was reached.`);
      case 'delay':
        return this.#effects.pause(point.action.ms);
    }
  }
}

let armed: Armed | null = null;

/** Marks a place. Await it where the place can be delayed. @throws Error when it is armed to. */
export function failpoint(name: Failpoint): Promise<void> | undefined {
  return armed === null ? undefined : armed.reach(name);
}

/** Arms these and no others; an empty list disarms all. */
export function armFailpoints(points: ArmedFailpoint[], effects: FailpointEffects): void {
  armed = points.length === 0 ? null : new Armed(points, effects);
}

/**
 * Reads `writer.before_commit=kill:3,flusher.before_flush=delay:500`: `kill`, `stop` and `throw` act once, at the first hit or the one
 * given after the colon; `delay:<ms>` acts at every hit, `delay:<ms>:<hit>` at one. @throws Error in words
 */
export function parseFailpoints(text: string): ArmedFailpoint[] {
  return text.split(',').map((part) => {
    const [, name, kind, numbers] = /^\s*([a-z_.]+)=(kill|stop|throw|delay)((?::\d{1,9}){0,2})\s*$/.exec(part) ?? [];
    if (name === undefined) {
      throw new Error(`"${part.trim()}" is no failpoint. Give such as writer.before_commit=kill:3 or =delay:500.`);
    }
    if (!isFailpoint(name)) {
      throw new Error(`There is no failpoint ${name}. Give one of ${Object.keys(FAILPOINTS).join(', ')}.`);
    }
    const given = numbers.split(':').slice(1).map(Number);
    if (kind === 'delay') {
      if (given.length === 0) throw new Error(`The delay of ${name} lacks its milliseconds. Give such as delay:500.`);
      if (FAILPOINTS[name] === 'sync') throw new Error(`${name} cannot be delayed. Give kill, stop or throw.`);
      return { name, action: { kind, ms: given[0] }, hit: given[1] ?? null };
    }
    if (given.length > 1) throw new Error(`${name}=${kind} takes one number, the hit. Give such as ${kind}:3.`);
    return { name, action: { kind: kind as 'kill' | 'stop' | 'throw' }, hit: given[0] ?? 1 };
  });
}

function isFailpoint(name: string): name is Failpoint {
  return Object.hasOwn(FAILPOINTS, name);
}
