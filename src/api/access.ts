// The hooks that every route under /v1 begins with: the key first, then the app of the path. Both decide before anything is
// looked up that a stranger should not learn of.
import type { FastifyRequest } from 'fastify';
import type { Access } from './authentication.ts';
import type { ApiContext } from './context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The id of the app in the path. */
    appId: string;
  }
}

/** For routes that concern no app in particular. */
export function access(context: ApiContext, needs: Access) {
  return { onRequest: context.authenticator.guard(needs) };
}

/** For routes below `/v1/apps/{app}`: `request.appId` is a live app that the key may know of. */
export function appAccess(context: ApiContext, needs: Access) {
  return {
    onRequest: context.authenticator.guard(needs),
    preValidation: async (request: FastifyRequest): Promise<void> => {
      request.appId = await context.directory.resolve((request.params as { app: string }).app, request.principal);
    },
  };
}
