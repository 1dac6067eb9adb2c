// `/in/{token}`: where third parties send their webhooks. No key: the token finds the source, and the source verifies. The body is kept as it
// came, whatever its type. Nothing here is a page: what is answered may have been chosen by a user, so browsers are told not to run it.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { IngestRequest } from '../../inbound/ingest.ts';
import type { WebhookResponse } from '../../inbound/webhook-response.ts';
import type { ApiServer } from '../context.ts';
import type { Receiver } from '../receiver.ts';
import { MAX_EVENT_BYTES } from './publish.ts';

const OTHER_METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const NO_BODY = Buffer.alloc(0);

type InboundRequest = FastifyRequest<{ Params: { token: string } }>;

export async function inboundRoutes(server: ApiServer, ingest: Receiver): Promise<void> {
  // The schemas below are for the OpenAPI document only.
  server.setValidatorCompiler(() => () => true);
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.setErrorHandler((error, request, reply) => {
    if ((error as { code?: string }).code !== 'FST_ERR_CTP_BODY_TOO_LARGE') throw error;
    const detail = `The body is larger than ${MAX_EVENT_BYTES} bytes (1 MiB), which is the most.`;
    const { token } = (request as InboundRequest).params;
    ingest.refuseTooLarge(token, toIngest(request as InboundRequest), detail).then(
      (response) => answer(reply, response),
      (failure) => reply.send(failure),
    );
  });

  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    const inbound = request as InboundRequest;
    ingest.receive(inbound.params.token, toIngest(inbound)).then(
      (response) => answer(reply, response),
      (error) => reply.send(error),
    );
  };
  const options = { bodyLimit: MAX_EVENT_BYTES, exposeHeadRoute: false };
  server.route({
    ...options,
    method: 'POST',
    url: '/in/:token',
    handler,
    schema: {
      tags: ['Sources'],
      operationId: 'receiveWebhook',
      security: [],
      summary: 'Send a webhook to a source',
      description:
        'For third parties: any method, any content type, at most 1 MiB, no key. It is verified as the provider of the source signs, stored, and then answered as the provider wants. A 503 asks to send it again; what comes twice is one event.',
      params: z.object({ token: z.string().describe("The end of the source's `path`.") }),
      response: { 200: z.string().describe('Stored, or a handshake: as the provider wants it.') },
    },
  });
  server.route({ ...options, method: OTHER_METHODS, url: '/in/:token', handler, schema: { hide: true } });
}

function toIngest(request: InboundRequest): IngestRequest {
  const { raw } = request;
  const url = raw.url ?? '';
  const at = url.indexOf('?');
  const rawQuery = at < 0 ? '' : url.slice(at + 1);
  return {
    method: request.method,
    query: new URLSearchParams(rawQuery),
    rawQuery,
    headers: raw.headers,
    rawHeaders: raw.rawHeaders,
    rawBody: Buffer.isBuffer(request.body) ? request.body : NO_BODY,
    remoteAddress: raw.socket.remoteAddress ?? '',
  };
}

function answer(reply: FastifyReply, { status, headers, body }: WebhookResponse): void {
  reply
    .code(status)
    .headers({ 'content-security-policy': 'sandbox', 'x-content-type-options': 'nosniff', ...headers })
    .send(body);
}
