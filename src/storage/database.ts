// The way to Postgres: a pool for everything that is not hot, and connections of their own for the writer, the flush and
// the lease, which must not wait behind it. Statements are named, so each connection plans them once.
import pg from 'pg';
import { TidingsError } from '../core/errors.ts';

/** A statement: `name` is unique in the program (it names the prepared statement), `text` is the SQL. */
export interface Query {
  name: string;
  text: string;
}

export interface DatabaseOptions {
  /** As pg takes it; a `host` that is a folder means a Unix socket. */
  connection: pg.ClientConfig;
  poolSize?: number;
  onError?: (error: Error) => void;
}

/** What can run statements: the database itself (any pooled connection), a transaction, or one dedicated connection. */
export interface Queryable {
  query<Row>(query: Query, values?: unknown[]): Promise<Row[]>;
}

// int8 as number: positions stay far below 2^53. date as text: a Date would shift it by the time zone. Results come as text: pg 8.23
// decodes binary ones as UTF-8 first, which garbles them.
const types = {
  getTypeParser(oid: number) {
    if (oid === 20) return Number;
    if (oid === 1082) return (text: string) => text;
    return pg.types.getTypeParser(oid, 'text');
  },
} as pg.CustomTypesConfig;

const SESSION = '-c synchronous_commit=on -c idle_in_transaction_session_timeout=60s -c TimeZone=UTC';

export class Database implements Queryable {
  readonly #pool: pg.Pool;
  readonly #config: pg.ClientConfig;
  readonly #onError: (error: Error) => void;

  constructor(options: DatabaseOptions) {
    this.#config = { ...options.connection, types, options: SESSION, connectionTimeoutMillis: 5000, keepAlive: true };
    this.#onError = options.onError ?? (() => {});
    this.#pool = new pg.Pool({ ...this.#config, max: options.poolSize ?? 8 });
    this.#pool.on('error', this.#onError);
  }

  async query<Row>(query: Query, values: unknown[] = []): Promise<Row[]> {
    return (await this.#pool.query({ ...query, values })).rows as Row[];
  }

  /** Whether the database answers. @throws what pg throws when it does not */
  async ping(): Promise<void> {
    await this.#pool.query('SELECT 1');
  }

  /** Runs `work` on one snapshot: all that it reads is of one moment. It can write nothing. */
  snapshot<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#inTransaction('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', work);
  }

  /** Runs `work` in one transaction; repeats it when Postgres reports a deadlock or a serialization failure. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#inTransaction('BEGIN', work);
  }

  async #inTransaction<T>(begin: string, work: (tx: Queryable) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#pool.connect();
      let broken: Error | undefined;
      try {
        await client.query(begin);
        const result = await work({
          query: async (query, values = []) => (await client.query({ ...query, values })).rows as never,
        });
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch((e: Error) => {
          broken = e;
        });
        if (attempt < 5 && isRetryable(error)) continue;
        throw error;
      } finally {
        client.release(broken);
      }
    }
  }

  /** A connection of its own, opened on first use and again after it broke. Run one statement at a time on it. */
  dedicated(): DedicatedConnection {
    return new DedicatedConnection(this.#config, this.#onError);
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

export class DedicatedConnection implements Queryable {
  readonly #config: pg.ClientConfig;
  readonly #onError: (error: Error) => void;
  #client: pg.Client | null = null;

  constructor(config: pg.ClientConfig, onError: (error: Error) => void) {
    this.#config = config;
    this.#onError = onError;
  }

  async client(): Promise<pg.Client> {
    if (this.#client) return this.#client;
    const client = new pg.Client(this.#config);
    client.on('error', (error) => {
      if (this.#client === client) this.#client = null;
      this.#onError(error);
    });
    client.on('end', () => {
      if (this.#client === client) this.#client = null;
    });
    await client.connect();
    this.#client = client;
    return client;
  }

  async query<Row>(query: Query, values: unknown[] = []): Promise<Row[]> {
    const client = await this.client();
    return (await client.query({ ...query, values })).rows as Row[];
  }

  async begin(): Promise<void> {
    await this.query({ name: 'begin', text: 'BEGIN' });
  }

  async commit(): Promise<void> {
    await this.query({ name: 'commit', text: 'COMMIT' });
  }

  async rollback(): Promise<void> {
    await this.query({ name: 'rollback', text: 'ROLLBACK' });
  }

  /** Drops the connection: what runs on it fails, the next query opens another. */
  async reset(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => {});
  }
}

/** Deadlock or serialization failure: nothing was done, the transaction may be repeated as it was. */
export function isRetryable(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === '40P01' || code === '40001';
}

/** Whether the database could not be reached or is shutting down, rather than having refused the statement. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof TidingsError) return error.code === 'unavailable';
  const { code, message } = error as { code?: unknown; message?: string };
  if (typeof code === 'string' && /^(08|57P|53)/.test(code)) return true;
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return true;
  return /Connection terminated|timeout exceeded when trying to connect|not queryable/.test(message ?? '');
}
