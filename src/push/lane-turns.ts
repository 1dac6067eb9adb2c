// Turns: lanes that could send are asked in turn, each for a few requests, so that a busy one holds up no other.
import type { HostedLane } from './lane-host.ts';

/** Requests that a lane may begin before it is the next one's turn. */
const BURST = 16;
/** Rounds, and time, taken before other work of the process gets a chance. */
const ROUNDS = 16;
const MAX_MS = 8;

export class LaneTurns {
  readonly #onFailure: (lane: HostedLane, error: unknown) => void;
  #ready: HostedLane[] = [];
  #isPumping = false;

  /** `onFailure` is told of a lane whose turn threw: it must not take the others' with it. */
  constructor(onFailure: (lane: HostedLane, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  add(lane: HostedLane): void {
    this.#ready.push(lane);
    if (this.#isPumping) return;
    this.#isPumping = true;
    setImmediate(() => this.#pump());
  }

  clear(): void {
    for (const lane of this.#ready) lane.isReady = false;
    this.#ready = [];
  }

  #pump(): void {
    const endMs = performance.now() + MAX_MS;
    for (let round = 0; round < ROUNDS && this.#ready.length > 0; round++) {
      const ready = this.#ready;
      this.#ready = [];
      for (const [i, lane] of ready.entries()) {
        if (performance.now() > endMs) {
          this.#ready = [...ready.slice(i), ...this.#ready]; // whose turn it was goes first
          setImmediate(() => this.#pump());
          return;
        }
        lane.isReady = false;
        this.#take(lane);
      }
    }
    this.#isPumping = this.#ready.length > 0;
    if (this.#isPumping) setImmediate(() => this.#pump());
  }

  #take(lane: HostedLane): void {
    try {
      if (lane.pump(BURST)) lane.wake();
    } catch (error) {
      this.#onFailure(lane, error);
    }
  }
}
