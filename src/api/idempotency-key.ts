import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { TidingsError } from '../core/errors.ts';
import type { CreationKey } from '../storage/creation-claim.ts';

const KEY_PATTERN = /^[\x20-\x7e]{1,255}$/;

/** The header `Idempotency-Key`; null without one. @throws TidingsError `invalid_request` */
export function readIdempotencyKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && KEY_PATTERN.test(key)) return key;
  throw new TidingsError('invalid_request', 'An Idempotency-Key has 1 to 255 printable ASCII characters.');
}

/** The claim of a call that creates a thing. The same members with the same values are the same body. */
export function creationKey(request: FastifyRequest): CreationKey | null {
  const key = readIdempotencyKey(request);
  if (key === null) return null;
  return { key, bodyHash: createHash('sha256').update(JSON.stringify(request.body)).digest() };
}
