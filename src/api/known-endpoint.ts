import type { Endpoint } from '../core/endpoint.ts';
import { findEndpoint, noEndpoint } from '../storage/endpoints.ts';
import type { ApiContext } from './context.ts';

/** The live endpoint of the app with that id or uid. @throws TidingsError `not_found` */
export async function knownEndpoint({ db }: ApiContext, appId: string, ref: string): Promise<Endpoint> {
  const endpoint = await findEndpoint(db, appId, ref);
  if (endpoint === null) throw noEndpoint(ref);
  return endpoint;
}
