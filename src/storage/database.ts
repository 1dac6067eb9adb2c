// The way to Postgres: a pool for everything that is not hot, and connections of their own for the writer, the flush and
// the lease, which must not wait behind it. Statements are named, so each connection plans them once.
//
// No statement waits for ever. A network that has gone half-open takes what is written and answers nothing, and TCP alone would notice
// after minutes. So every statement has a time: at three quarters of it Postgres itself gives up (57014: nothing was done, and we know it),
// at the whole of it the socket is destroyed (what became of the statement is not known).
import type { Duplex } from 'node:stream';
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
  /** Of a statement on a pooled connection. */
  statementTimeoutMs?: number;
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

const STATEMENT_TIMEOUT_MS = 30_000;
/** How long the pool may take to say goodbye to the server. */
const CLOSE_MS = 3000;

/** What becomes of whoever stops in the middle of a transaction: its locks hold up others. */
const IDLE_IN_TRANSACTION = '15s';

function sessionOptions(statementTimeoutMs: number | null): string {
  const settings = {
    synchronous_commit: 'on',
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION,
    TimeZone: 'UTC',
    statement_timeout: Math.ceil((statementTimeoutMs ?? 0) * 0.75),
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

export interface DedicatedOptions {
  /** After so long without an answer the connection is destroyed and the statement fails (isUnavailable). null = it may take as long as it likes. */
  statementTimeoutMs?: number | null;
}

export class Database implements Queryable {
  readonly #pool: pg.Pool;
  readonly #config: pg.ClientConfig;
  readonly #onError: (error: Error) => void;
  readonly #pooled = new Set<pg.PoolClient>();

  constructor(options: DatabaseOptions) {
    this.#config = {
      ...options.connection,
      types,
      connectionTimeoutMillis: 5000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    };
    this.#onError = options.onError ?? (() => {});
    const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS;
    this.#pool = new pg.Pool({
      ...this.#config,
      options: sessionOptions(statementTimeoutMs),
      query_timeout: statementTimeoutMs,
      max: options.poolSize ?? 8,
    });
    this.#pool.on('error', this.#onError);
    this.#pool.on('connect', (client) => {
      this.#pooled.add(client);
      // The pool listens only while the connection is idle. One that breaks between two statements of a transaction would
      // otherwise end the process; the next statement on it tells.
      client.on('error', () => {});
    });
    this.#pool.on('remove', (client) => this.#pooled.delete(client));
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
        // A connection that does not answer is not asked to roll back: released as broken it is destroyed, which does so.
        if (isUnavailable(error)) broken = error as Error;
        else {
          await client.query('ROLLBACK').catch((e: Error) => {
            broken = e;
          });
        }
        if (attempt < 5 && isRetryable(error)) continue;
        throw error;
      } finally {
        client.release(broken);
      }
    }
  }

  /** A connection of its own, opened on first use and again after it broke. Run one statement at a time on it. */
  dedicated({ statementTimeoutMs = STATEMENT_TIMEOUT_MS }: DedicatedOptions = {}): DedicatedConnection {
    const config = { ...this.#config, options: sessionOptions(statementTimeoutMs) };
    return new DedicatedConnection({ config, statementTimeoutMs, onError: this.#onError });
  }

  /** Closes the pool; connections that do not answer the goodbye, or are not given back, are destroyed. */
  async close(): Promise<void> {
    const clients = [...this.#pooled];
    const timer = setTimeout(() => clients.map(destroy), CLOSE_MS);
    // The pool's own end does not wait for the sockets.
    await Promise.all([this.#pool.end(), ...clients.map(closed)]).finally(() => clearTimeout(timer));
  }
}

export class DedicatedConnection implements Queryable {
  readonly #config: pg.ClientConfig;
  readonly #statementTimeoutMs: number | null;
  readonly #onError: (error: Error) => void;
  #client: pg.Client | null = null;
  #connecting: pg.Client | null = null;
  /** The connection that a transaction was begun on. When it is lost, so is the transaction: what is left of it must not run on another. */
  #transaction: pg.Client | null = null;

  constructor(parts: {
    config: pg.ClientConfig;
    statementTimeoutMs: number | null;
    onError: (error: Error) => void;
  }) {
    this.#config = parts.config;
    this.#statementTimeoutMs = parts.statementTimeoutMs;
    this.#onError = parts.onError;
  }

  /** The connection itself; what is run on it directly has no time limit of ours. */
  async client(): Promise<pg.Client> {
    if (this.#client) return this.#client;
    const client = new pg.Client(this.#config);
    client.on('error', (error) => {
      if (this.#client !== client) return; // it was given up, or has failed already
      this.#client = null;
      this.#onError(error);
    });
    client.on('end', () => {
      if (this.#client === client) this.#client = null;
    });
    this.#connecting = client;
    try {
      await client.connect();
    } finally {
      if (this.#connecting === client) this.#connecting = null;
    }
    this.#client = client;
    return client;
  }

  async query<Row>(query: Query, values: unknown[] = []): Promise<Row[]> {
    const client = this.#transaction ?? (await this.client());
    if (this.#statementTimeoutMs === null) return (await client.query({ ...query, values })).rows as Row[];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#giveUp(client);
    }, this.#statementTimeoutMs);
    try {
      return (await client.query({ ...query, values })).rows as Row[];
    } catch (error) {
      if (!late) throw error;
      const detail = `The database did not answer within ${this.#statementTimeoutMs / 1000} seconds. Try again.`;
      throw new TidingsError('unavailable', detail, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  async begin(): Promise<void> {
    this.#transaction = await this.client();
    await this.query({ name: 'begin', text: 'BEGIN' });
  }

  async commit(): Promise<void> {
    await this.#end({ name: 'commit', text: 'COMMIT' });
  }

  async rollback(): Promise<void> {
    await this.#end({ name: 'rollback', text: 'ROLLBACK' });
  }

  async #end(query: Query): Promise<void> {
    try {
      await this.query(query);
    } finally {
      this.#transaction = null;
    }
  }

  /** Drops the connection, also one that does not answer or is only being made: what runs on it fails, the next query opens another. */
  async reset(): Promise<void> {
    this.#transaction = null;
    const clients = [this.#client, this.#connecting].filter((client) => client !== null);
    await Promise.all(clients.map((client) => this.#giveUp(client)));
  }

  async #giveUp(client: pg.Client): Promise<void> {
    if (this.#client === client) this.#client = null;
    await destroy(client);
  }
}

/** Ends the connection at once, without a word to the server, which rolls back what it has open. */
function destroy(client: pg.ClientBase): Promise<void> {
  const gone = closed(client);
  socketOf(client).destroy();
  return gone;
}

function closed(client: pg.ClientBase): Promise<void> {
  const socket = socketOf(client);
  return socket.closed ? Promise.resolve() : new Promise((resolve) => void socket.once('close', () => resolve()));
}

function socketOf(client: pg.ClientBase): Duplex {
  return (client as pg.Client).connection.stream;
}

/** Deadlock or serialization failure: nothing was done, the transaction may be repeated as it was. */
export function isRetryable(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === '40P01' || code === '40001';
}

/** Whether Postgres itself has answered with an error, so that the statement, and a transaction it was in, has had no effect. */
export function isRefused(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  // A server that goes down may say so (57P…) after it has committed; 40003 says by its name that it is not known.
  return typeof code === 'string' && /^(?!08|57P|40003)[0-9A-Z]{2}[0-9][0-9A-Z]{2}$/.test(code);
}

/** Whether the database could not be reached, did not answer in time, or is shutting down or short of resources, rather than having refused the statement. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof TidingsError) return error.code === 'unavailable';
  const { code, message } = error as { code?: unknown; message?: string };
  if (typeof code === 'string' && /^(08|53|57)/.test(code)) return true;
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return true;
  return /Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|not queryable/.test(
    message ?? '',
  );
}
