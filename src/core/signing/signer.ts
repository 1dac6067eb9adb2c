// What signs the requests of an endpoint; create-signer.ts makes it.
import type { KeyObject } from 'node:crypto';

/** A request that is complete but for its signature. */
export interface SignedRequest {
  method: string;
  /** As it is asked for: scheme, host, path and query. */
  url: string;
  /** `webhook-id`. */
  id: string;
  /** Of the event; null for several in one request. */
  type: string | null;
  /** When the attempt was made. */
  timeMs: number;
  body: Buffer;
}

export interface Signer {
  /** Adds the signature to the headers; those that it signs must be there. Names are in lower case. */
  sign(headers: Record<string, string>, request: SignedRequest): void;
}

/** A key and when it ends; Infinity = not before it is rotated. */
export interface TimedKey {
  key: KeyObject;
  expiresMs: number;
}

/** Of keys that come newest first those that are current. */
export function currentKeys<T extends TimedKey>(keys: readonly T[], timeMs: number): readonly T[] {
  return keys.length === 1 ? keys : keys.filter(({ expiresMs }) => expiresMs > timeMs);
}
