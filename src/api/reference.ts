// The API's description and its reference. Both are asked for rarely and are large: making the description from the schemas takes 12 MB that
// the process does not give back, and the reference's pages 5 MB. So the description is the file that was generated when the API was built,
// and the pages are a server of their own, which nothing is loaded of before somebody looks at them.
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';

/** From src/api and dist/api alike. */
const DESCRIPTION = new URL('../../openapi.json', import.meta.url);
const HOME = '/docs';

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" width="130" height="40" viewBox="0 0 130 40"><text x="0" y="29" font-family="system-ui, sans-serif" font-size="28" font-weight="600" fill="#fff">Tidings</text></svg>`;

/** Serves `/openapi.json` and `/docs`. */
export function referenceRoutes(server: FastifyInstance): void {
  server.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) =>
    reply.header('content-type', 'application/json; charset=utf-8').send(await readFile(DESCRIPTION)),
  );

  let pages: Promise<FastifyInstance> | null = null;
  for (const url of [HOME, `${HOME}/*`]) {
    server.get(url, { schema: { hide: true } }, async (request, reply) => {
      pages ??= buildPages().catch((error) => {
        pages = null; // the next look tries again
        throw error;
      });
      const { method, headers } = request;
      const answer = await (await pages).inject({ method: method as 'GET' | 'HEAD', url: request.url, headers });
      if (answer.statusCode === 404) return reply.callNotFound();
      // What is of the connection is the real one's to say.
      const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...described } = answer.headers;
      return reply.code(answer.statusCode).headers(described).send(answer.rawPayload);
    });
  }
}

async function buildPages(): Promise<FastifyInstance> {
  const [{ default: Fastify }, { default: swagger }, { default: swaggerUi }] = await Promise.all([
    import('fastify'),
    import('@fastify/swagger'),
    import('@fastify/swagger-ui'),
  ]);
  const pages = Fastify({ logger: false });
  const document = JSON.parse(await readFile(DESCRIPTION, 'utf8'));
  await pages.register(swagger, { mode: 'static', specification: { document } });
  await pages.register(swaggerUi, {
    routePrefix: HOME,
    staticCSP: true,
    transformStaticCSP: localOnly,
    uiConfig: { deepLinking: true },
    logo: { type: 'image/svg+xml', content: Buffer.from(LOGO), href: HOME },
  });
  return pages;
}

/** The reference is served from local files only; and over plain HTTP too, so nothing is to be upgraded. */
function localOnly(policy: string): string {
  return policy
    .replaceAll(/ (?:https:|validator\.swagger\.io)(?=[ ;])/g, '')
    .replace(/ *upgrade-insecure-requests;/, '');
}
