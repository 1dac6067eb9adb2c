import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IdGenerator } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import type { Fetches } from '../inbound/fetch/fetches.ts';
import type { Catalogue } from '../log/catalogue.ts';
import type { OpenStreams, StreamLimits } from '../pull/open-streams.ts';
import type { Database } from '../storage/database.ts';
import type { Instance } from '../storage/instance.ts';
import type { TransformPool } from '../transform/transform-pool.ts';
import type { AppDirectory } from './app-directory.ts';
import type { Authenticator } from './authentication.ts';
import type { Engine } from './engine.ts';
import type { Leaving } from './leaving.ts';
import type { Receiver } from './receiver.ts';

export interface ServerOptions {
  db: Database;
  engine: Engine;
  /** Started and stopped by whoever builds the server. */
  catalogue: Catalogue;
  box: SecretBox;
  /** To try transformations out. */
  transforms: Pick<TransformPool, 'try' | 'check' | 'hasRoom'>;
  instance: Instance;
  ids: IdGenerator;
  /** prom-client's. */
  registry: { contentType: string; metrics(): Promise<string> };
  /** The product's. */
  version: string;
  /** Whether the API is served (default), or only what every process answers: /healthz, /readyz and /metrics. */
  api?: boolean;
  /** Takes in what third parties send; null = this process does not. */
  receiver?: Receiver | null;
  /** Shows what a run of a source would tell. */
  fetches: Pick<Fetches, 'dryRun'>;
  /** How many streams may be open at once; what a process has by default if absent. */
  streamLimits?: StreamLimits;
  /** Whether an endpoint may have this URL, which is its own unless `what` says which. @throws TidingsError `invalid_url`, `address_forbidden` */
  checkUrl: (url: string, what?: string) => void;
  /** Where others reach the API; null (default) = it was not said. */
  publicUrl?: string | null;
  /** Told of every error that a client is only told `internal` of. */
  onError: (error: unknown, request: { method: string; path: string }) => void;
  /** Milliseconds since 1970. */
  now?: () => number;
  randomBytes?: (size: number) => Buffer;
}

/** What the routes work with. */
export interface ApiContext extends Required<ServerOptions> {
  authenticator: Authenticator;
  directory: AppDirectory;
  leaving: Leaving;
  streams: OpenStreams;
}

export type ApiServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;
