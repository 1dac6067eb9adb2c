// What the endpoints' transformations say of events: here the code of the version that an attempt is to run is found, and given to the pool.
import { LRUCache } from 'lru-cache';
import type { FormattedEvent } from '../core/formats/event-format.ts';
import type { Verdict } from '../core/transformation.ts';
import type { Database } from '../storage/database.ts';
import { findTransformation } from '../storage/transformations.ts';
import type { TransformPool } from '../transform/transform-pool.ts';
import type { HostedLane } from './lane-host.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';

export interface TransformerParts {
  db: Database;
  pool: Pick<TransformPool, 'run' | 'hasRoom'>;
  onError: (error: unknown) => void;
}

/** Of code of earlier versions, which retries still run. */
const MAX_CODE_CHARS = 4 * 1024 * 1024;

export class Transformer {
  readonly #parts: TransformerParts;
  readonly #earlier = new LRUCache<string, string>({
    maxSize: MAX_CODE_CHARS,
    sizeCalculation: ({ length }) => length,
  });

  constructor(parts: TransformerParts) {
    this.#parts = parts;
  }

  /** Whether an event of the lane's app need not wait long for its verdict; if not, the lane is woken when it is to ask again. */
  hasRoom(lane: HostedLane): boolean {
    return this.#parts.pool.hasRoom(lane.appId, lane);
  }

  /** What a version of the endpoint's transformation says of an event. Never rejects. */
  async verdictOf(endpoint: LoadedEndpoint, version: number, event: FormattedEvent): Promise<Verdict> {
    const { appId } = event;
    let code: string | null;
    try {
      code = await this.#codeOf(endpoint, version, appId);
    } catch (error) {
      this.#parts.onError(error);
      return { kind: 'unavailable', message: 'its code could not be read' };
    }
    if (code === null) {
      const error = { message: 'its code is no longer kept', line: null, column: null };
      return { kind: 'failed', reason: 'transform_error', error };
    }
    return await this.#parts.pool.run({ appId, code, event });
  }

  async #codeOf({ id, config }: LoadedEndpoint, version: number, appId: string): Promise<string | null> {
    const { transformation } = config;
    if (transformation.version === version && transformation.code !== null) return transformation.code;
    const key = `${id} ${version}`;
    const known = this.#earlier.get(key);
    if (known !== undefined) return known;
    const code = await findTransformation(this.#parts.db, { appId, endpointId: id, version });
    if (code !== null) this.#earlier.set(key, code);
    return code;
  }
}
