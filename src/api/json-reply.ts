import type { FastifyReply } from 'fastify';

/** Sends what was put together by hand, past the schema that describes it. */
export function sendJson(reply: FastifyReply, json: Buffer): FastifyReply {
  return reply.header('content-type', 'application/json; charset=utf-8').send(json);
}
