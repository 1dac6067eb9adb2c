// Asks the owner of a lane what it knows: this process itself, or another through hints, which has half a second to answer (design rule 22).
import type { LaneStatus } from '../api/engine.ts';
import { type Endpoint, slotOf } from '../core/endpoint.ts';
import { uuidFromId } from '../core/id.ts';
import type { Hints } from '../log/hints.ts';
import type { Tail } from '../log/tail.ts';
import type { Dispatcher } from '../push/dispatcher.ts';
import type { Lane } from '../push/lane.ts';
import type { Ownership } from '../push/ownership.ts';
import { listEndpointAttempts } from '../storage/attempt-listing.ts';
import type { Database } from '../storage/database.ts';
import { laneStatusOf } from './lane-status.ts';

/** For a pause whose owner does not answer: so long after the last attempt can have begun its outcome is written down. */
const SETTLE_MS = 5000;

export interface LaneOwnerParts {
  db: Database;
  tail: Pick<Tail, 'head'>;
  dispatcher: Pick<Dispatcher, 'lane'>;
  ownership: Pick<Ownership, 'owns'>;
  hints: Pick<Hints, 'ask'>;
}

interface Place {
  appId: string;
  endpointId: string;
}

interface LaneQuestion extends Place {
  kind: 'lane';
}

/** The last attempt is left out: it can be longer than an answer may be, and is in the table. */
interface LaneAnswer {
  status: Omit<LaneStatus, 'lastAttempt'>;
  configVersion: number;
  isOpen: boolean;
}

/** The owner has nothing of the lane in memory: nothing is open or pending. */
const AT_REST = 'at rest';

export class LaneOwner {
  readonly #parts: LaneOwnerParts;

  constructor(parts: LaneOwnerParts) {
    this.#parts = parts;
  }

  /** `at rest`: what is written down is all there is. null: the owner does not answer. */
  async status(place: Place): Promise<LaneStatus | 'at rest' | null> {
    const { dispatcher, tail } = this.#parts;
    const lane = dispatcher.lane(place.appId, place.endpointId);
    if (lane) return laneStatusOf(lane, tail, Date.now());
    if (this.#owns(place.endpointId)) return AT_REST;
    const answer = await this.#ask(place);
    if (answer === null || answer === AT_REST) return answer;
    const listing = { limit: 1, before: null, outcome: null };
    const { attempts } = await listEndpointAttempts(this.#parts.db, place, listing);
    return { ...answer.status, lastAttempt: attempts[0] ?? null };
  }

  /** Whether something may still be sent, or be on its way, for an endpoint that was paused. */
  async isPausing(endpoint: Endpoint): Promise<boolean> {
    const place = { appId: endpoint.appId, endpointId: endpoint.id };
    const lane = this.#parts.dispatcher.lane(place.appId, place.endpointId);
    const answer = lane
      ? answerOf(lane, this.#parts.tail)
      : this.#owns(place.endpointId)
        ? AT_REST
        : await this.#ask(place);
    if (answer === AT_REST) return false;
    if (answer) return answer.isOpen || answer.configVersion < endpoint.configVersion;
    const pausedMs = Date.now() - (endpoint.pausedAt?.getTime() ?? 0);
    return pausedMs < endpoint.config.timeoutMs + SETTLE_MS;
  }

  /** The answer to another process's question; null when it is another's to answer. */
  answer(question: unknown): LaneAnswer | typeof AT_REST | null {
    if (!isLaneQuestion(question)) return null;
    const { appId, endpointId } = question;
    const lane = this.#parts.dispatcher.lane(appId, endpointId);
    if (lane) return answerOf(lane, this.#parts.tail);
    return this.#owns(endpointId) ? AT_REST : null;
  }

  #ask(place: Place): Promise<LaneAnswer | typeof AT_REST | null> {
    const question: LaneQuestion = { kind: 'lane', ...place };
    return this.#parts.hints.ask(question) as Promise<LaneAnswer | typeof AT_REST | null>;
  }

  #owns(endpointId: string): boolean {
    return this.#parts.ownership.owns(slotOf(uuidFromId('endpoint', endpointId)));
  }
}

function answerOf(lane: Lane, tail: Pick<Tail, 'head'>): LaneAnswer {
  const { lastAttempt: _, ...status } = laneStatusOf(lane, tail, Date.now());
  return { status, configVersion: lane.endpoint.configVersion, isOpen: lane.isOpen };
}

function isLaneQuestion(question: unknown): question is LaneQuestion {
  const { kind, appId, endpointId } = (question ?? {}) as Partial<LaneQuestion>;
  return kind === 'lane' && typeof appId === 'string' && typeof endpointId === 'string';
}
