import { readAllProcessStats, readPeakMemoryBytes, treeCpuMicros } from "./process-stats.js";
import { publishPath } from "./target.js";
import { PostgresStats } from "./postgres-stats.js";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
//#region server-under-test.ts
const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const READY_TIMEOUT_MS = 6e4;
const STOP_TIMEOUT_MS = 3e4;
const LOG_LINES_KEPT = 20;
const MASTER_KEY = Buffer.from("tidings benchmark, no real secret").subarray(0, 32).toString("base64");
var ServerUnderTest = class {
	#options;
	#child = null;
	#dataFolder = null;
	#postgres = null;
	#ready = null;
	#log = [];
	constructor(options) {
		this.#options = options;
	}
	async start() {
		this.#dataFolder = await mkdtemp(join(tmpdir(), "tidings-bench-"));
		await chmod(this.#dataFolder, 493);
		const { databaseUrl, nodeOptions } = this.#options;
		const args = [
			"dev",
			"--port",
			"0",
			"--data",
			join(this.#dataFolder, "data"),
			"--json",
			"--log-level",
			"warn"
		];
		const child = spawn(process.execPath, [
			...nodeOptions,
			CLI,
			...args,
			"--allow-http",
			"--allow-private",
			"127.0.0.0/8"
		], {
			stdio: [
				"ignore",
				"pipe",
				"pipe"
			],
			env: {
				...withoutDatabase(),
				...databaseUrl && {
					DATABASE_URL: databaseUrl,
					TIDINGS_MASTER_KEY: MASTER_KEY
				}
			},
			detached: true
		});
		this.#child = child;
		createInterface({ input: child.stderr }).on("line", (line) => {
			this.#log = [...this.#log, line].slice(-LOG_LINES_KEPT);
		});
		this.#ready = await this.#firstLine(child);
		this.#postgres = await PostgresStats.connect(databaseUrl ?? this.#ready.databaseUrl);
	}
	/** A new app with `endpoints` endpoints at `/r/0`, `/r/1` … of the receiver. */
	async createTarget(options) {
		const { id } = await this.request("POST", "/v1/apps", { name: "bench" });
		for (let i = 0; i < options.endpoints; i++) await this.request("POST", `/v1/apps/${id}/endpoints`, { url: `${options.receiverOrigin}/r/${i}` });
		return {
			origin: this.#ready.url,
			headers: { authorization: `Bearer ${this.#ready.apiKey}` },
			publishPath: publishPath(id),
			sample: async () => {
				const walBytes = await this.#postgres.walBytes();
				const stats = readAllProcessStats();
				return {
					processMicros: treeCpuMicros(stats, this.#child.pid, ({ name }) => name === "postgres"),
					postgresMicros: this.#postgres.cpuMicros(stats),
					walBytes
				};
			},
			peakMemoryBytes: () => readPeakMemoryBytes(this.#child.pid)
		};
	}
	/** Calls the HTTP API. @throws Error naming call, status and answer when it is not 2xx. */
	async request(method, path, body) {
		const response = await fetch(this.#ready.url + path, {
			method,
			headers: {
				authorization: `Bearer ${this.#ready.apiKey}`,
				"content-type": "application/json"
			},
			body: body === void 0 ? void 0 : JSON.stringify(body)
		});
		const text = await response.text();
		if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text.slice(0, 1e3)}`);
		return text === "" ? void 0 : JSON.parse(text);
	}
	async postgresVersion() {
		return this.#postgres.version();
	}
	async stop() {
		await this.#postgres?.close();
		const child = this.#child;
		this.#child = null;
		if (child && child.exitCode === null && child.signalCode === null) {
			const ended = new Promise((resolve) => child.once("exit", () => resolve()));
			child.kill("SIGTERM");
			const killer = setTimeout(() => this.#kill(child), STOP_TIMEOUT_MS);
			await ended;
			clearTimeout(killer);
		}
		if (this.#dataFolder) await rm(this.#dataFolder, {
			recursive: true,
			force: true,
			maxRetries: 5
		});
		this.#dataFolder = null;
	}
	#kill(child) {
		child.kill("SIGKILL");
		if (!this.#options.databaseUrl && this.#postgres?.postmasterPid) process.kill(this.#postgres.postmasterPid, "SIGQUIT");
	}
	#firstLine(child) {
		return new Promise((resolve, reject) => {
			const fail = (what) => reject(new Error(`The server ${what}.\n${this.#log.join("\n")}`.trim()));
			const timer = setTimeout(() => fail(`was not ready within ${READY_TIMEOUT_MS / 1e3} s`), READY_TIMEOUT_MS);
			child.once("error", (error) => fail(`could not be started: ${error.message}`));
			child.once("close", (code, signal) => {
				clearTimeout(timer);
				fail(`ended (${signal ?? `exit code ${code}`})`);
			});
			createInterface({ input: child.stdout }).once("line", (line) => {
				clearTimeout(timer);
				try {
					resolve(JSON.parse(line));
				} catch {
					fail(`printed no JSON when it was ready but: ${line}`);
				}
				child.stdout.resume();
			});
		});
	}
};
function withoutDatabase() {
	const { DATABASE_URL: _, ...env } = process.env;
	return env;
}
/** Runs `work` with a server of its own, and stops it whatever happens. */
async function withServer(options, work) {
	const server = new ServerUnderTest(options);
	try {
		await server.start();
		return await work(server);
	} finally {
		await server.stop();
	}
}
//#endregion
export { ServerUnderTest, withServer };

//# sourceMappingURL=server-under-test.js.map