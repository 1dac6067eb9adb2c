// How bodies are read, other than those of publishing: strictly (UTF-8, no key twice, bounded depth), and at most 256 KiB.
import type { FastifyInstance } from 'fastify';
import { TidingsError } from '../core/errors.ts';
import { checkJson } from '../core/json-scan.ts';

export const MAX_BODY_BYTES = 256 * 1024;

export function parseJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      refuseEncoding(request.headers['content-encoding']);
      done(null, parseJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** An empty body is no body: clients send the content type with calls that need none. */
function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  checkJson(body);
  return JSON.parse(body.toString('utf8'));
}

/** @throws TidingsError `unsupported_media_type` for a compressed body, which would otherwise be called broken JSON. */
export function refuseEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding === 'identity') return;
  throw new TidingsError(
    'unsupported_media_type',
    `The body is encoded (${encoding}). Send it without Content-Encoding.`,
  );
}
