// What answers without a key, in every process: for load balancers and Prometheus.
import { z } from 'zod';
import type { ApiContext, ApiServer } from '../context.ts';

const Ready = z
  .object({
    ok: z.boolean(),
    checks: z
      .record(z.string(), z.string())
      .describe('By name: `ok`, or what is wrong. `slots` tells how many the process holds, which decides nothing.'),
  })
  .meta({ id: 'Readiness' });

export function serviceRoutes(server: ApiServer, context: ApiContext): void {
  const { engine, registry } = context;
  const tags = ['Service'];
  const open = { tags, security: [] };

  server.get(
    '/healthz',
    {
      schema: {
        ...open,
        operationId: 'getHealth',
        summary: 'Whether the process lives',
        response: { 200: z.object({ ok: z.literal(true) }) },
      },
    },
    async () => ({ ok: true as const }),
  );

  server.get(
    '/readyz',
    {
      schema: {
        ...open,
        operationId: 'getReadiness',
        summary: 'Whether the process can take requests',
        response: { 200: Ready, 503: Ready },
      },
    },
    async (_request, reply) => {
      const ready = await engine.ready();
      return reply.code(ready.ok ? 200 : 503).send(ready);
    },
  );

  server.get(
    '/metrics',
    {
      schema: {
        ...open,
        operationId: 'getMetrics',
        summary: 'Metrics for Prometheus',
        response: {
          200: { description: 'In the text format of Prometheus.', content: { 'text/plain': { schema: z.string() } } },
        },
      },
    },
    async (_request, reply) => reply.header('content-type', registry.contentType).send(await registry.metrics()),
  );
}
