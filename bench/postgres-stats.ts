// What Postgres spends, for the embedded server and for one given with DATABASE_URL alike: the parent of our own backend
// is the postmaster, and all its children are counted, so a database that others use meanwhile gives useless figures.
import pg from 'pg';
import { type ProcessStat, readProcessStat, treeCpuMicros } from './process-stats.ts';

export class PostgresStats {
  readonly #client: pg.Client;
  readonly postmasterPid: number | null;

  private constructor(client: pg.Client, postmasterPid: number | null) {
    this.#client = client;
    this.postmasterPid = postmasterPid;
  }

  static async connect(databaseUrl: string): Promise<PostgresStats> {
    const client = new pg.Client({ connectionString: databaseUrl, application_name: 'tidings-bench' });
    client.on('error', () => {});
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const backend = readProcessStat(rows[0].pid);
    // On another machine the pid is nobody's here, or somebody else's.
    const isLocal = backend !== null && /^postgres/.test(backend.name);
    return new PostgresStats(client, isLocal ? backend.parentPid : null);
  }

  /** Null when Postgres does not run on this machine. */
  cpuMicros(stats: ProcessStat[]): number | null {
    return this.postmasterPid === null ? null : treeCpuMicros(stats, this.postmasterPid);
  }

  /** Bytes of WAL written since the cluster was made. */
  async walBytes(): Promise<number> {
    const { rows } = await this.#client.query<{ bytes: string }>(
      "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes",
    );
    return Number(rows[0].bytes);
  }

  /** Ended in this database since it was made; a backend tells of its own up to a second late. */
  async transactions(): Promise<number> {
    const { rows } = await this.#client.query<{ transactions: string }>(
      'SELECT xact_commit + xact_rollback AS transactions FROM pg_stat_database WHERE datname = current_database()',
    );
    return Number(rows[0].transactions);
  }

  async version(): Promise<string> {
    const { rows } = await this.#client.query<{ server_version: string }>('SHOW server_version');
    return rows[0].server_version;
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => {});
  }
}
