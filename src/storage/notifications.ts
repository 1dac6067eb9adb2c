// LISTEN and NOTIFY on one connection of their own. What is sent reaches every other connection that listens on the database; it is lost when
// nobody does, and while this connection is down.
import type { Database, DedicatedConnection, Query } from './database.ts';

const CHANNEL = 'tidings';
/** Postgres takes less than 8000. */
export const MAX_PAYLOAD_BYTES = 7900;

const LISTEN = { name: 'listen', text: `LISTEN ${CHANNEL}` } satisfies Query;
const NOTIFY = {
  name: 'notify',
  text: `SELECT pg_notify('${CHANNEL}', payload) FROM unnest($1::text[]) AS n(payload)`,
} satisfies Query;

export interface NotificationsParts {
  db: Database;
  /** A payload that another connection has sent. */
  onPayload: (payload: string) => void;
  /** The connection was lost. */
  onLost: () => void;
  statementTimeoutMs: number;
}

export class Notifications {
  readonly #parts: NotificationsParts;
  readonly #connection: DedicatedConnection;
  #listening: unknown = null;

  constructor(parts: NotificationsParts) {
    this.#parts = parts;
    this.#connection = parts.db.dedicated({ statementTimeoutMs: parts.statementTimeoutMs });
  }

  get isListening(): boolean {
    return this.#listening !== null;
  }

  /** Begins to listen, unless it does. */
  async listen(): Promise<void> {
    const client = await this.#connection.client();
    if (client === this.#listening) return;
    const { processID } = client as unknown as { processID: number };
    client.on('notification', ({ processId, payload = '' }) => {
      if (processId !== processID) this.#parts.onPayload(payload); // not what was sent from here
    });
    client.once('end', () => {
      if (this.#listening !== client) return;
      this.#listening = null;
      this.#parts.onLost();
    });
    try {
      await this.#connection.query(LISTEN);
    } catch (error) {
      await this.#connection.reset();
      throw error;
    }
    this.#listening = client;
  }

  async send(payloads: string[]): Promise<void> {
    await this.#connection.query(NOTIFY, [payloads]);
  }

  /** A connection that has gone half-open looks like a quiet one: this finds out. */
  async check(): Promise<void> {
    await this.send([]);
  }

  async close(): Promise<void> {
    this.#listening = null;
    await this.#connection.reset();
  }
}
