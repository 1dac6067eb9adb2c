import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { TidingsError } from '../core/errors.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { CreationKey } from '../storage/creation-claim.ts';

const KEY_PATTERN = /^[\x20-\x7e]{1,255}$/;

/** The header `Idempotency-Key`; null without one. @throws TidingsError `invalid_request` */
export function readIdempotencyKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && KEY_PATTERN.test(key)) return key;
  throw new TidingsError('invalid_request', 'An Idempotency-Key has 1 to 255 printable ASCII characters.');
}

/**
 * The claim of a call that creates a thing. The same members with the same values are the same body. With a `box` for bodies that hold
 * secrets: a password could be guessed by a plain digest of it.
 */
export function creationKey(request: FastifyRequest, box: SecretBox | null = null): CreationKey | null {
  const key = readIdempotencyKey(request);
  if (key === null) return null;
  const body = Buffer.from(JSON.stringify(request.body));
  return { key, bodyHash: box === null ? createHash('sha256').update(body).digest() : box.digest(body) };
}
