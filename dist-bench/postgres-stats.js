import { readProcessStat, treeCpuMicros } from "./process-stats.js";
import pg from "pg";
//#region postgres-stats.ts
var PostgresStats = class PostgresStats {
	#client;
	postmasterPid;
	constructor(client, postmasterPid) {
		this.#client = client;
		this.postmasterPid = postmasterPid;
	}
	static async connect(databaseUrl) {
		const client = new pg.Client({
			connectionString: databaseUrl,
			application_name: "tidings-bench"
		});
		client.on("error", () => {});
		await client.connect();
		const { rows } = await client.query("SELECT pg_backend_pid() AS pid");
		const backend = readProcessStat(rows[0].pid);
		return new PostgresStats(client, backend !== null && /^postgres/.test(backend.name) ? backend.parentPid : null);
	}
	/** Null when Postgres does not run on this machine. */
	cpuMicros(stats) {
		return this.postmasterPid === null ? null : treeCpuMicros(stats, this.postmasterPid);
	}
	/** Bytes of WAL written since the cluster was made. */
	async walBytes() {
		const { rows } = await this.#client.query("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes");
		return Number(rows[0].bytes);
	}
	async version() {
		const { rows } = await this.#client.query("SHOW server_version");
		return rows[0].server_version;
	}
	async close() {
		await this.#client.end().catch(() => {});
	}
};
//#endregion
export { PostgresStats };

//# sourceMappingURL=postgres-stats.js.map