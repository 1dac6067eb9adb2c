import { Histogram } from "./histogram.js";
import { HttpFramer } from "./http-framer.js";
import { monotonicMs } from "./monotonic-clock.js";
import { findStamps, stampedData, writeStamp } from "./stamped-data.js";
import net from "node:net";
//#region load-generator.ts
const REFUSED_PAUSE_MS = 50;
const EVENT_TYPE = "bench.event";
const TIMER_RESOLUTION_MS = 1;
var LoadGenerator = class {
	#options;
	#connections = [];
	#free = [];
	#nextSequence = 0;
	#run = null;
	constructor(options) {
		this.#options = options;
	}
	async connect() {
		const request = prepareRequest(this.#options);
		const { hostname, port } = new URL(this.#options.origin);
		for (let i = 0; i < this.#options.connections; i++) {
			const connection = new Connection(request, {
				onResponse: (status, body) => this.#settle(connection, status, body),
				onLost: (error) => this.#run?.reject(error)
			});
			this.#connections.push(connection);
			await connection.open(hostname, Number(port));
			this.#free.push(connection);
		}
	}
	/** Every connection publishes its next request when the last was answered, for `seconds`. */
	runClosedLoop(options) {
		return this.#start(true, (run) => {
			for (const connection of this.#free.splice(0)) this.#sendNext(connection, monotonicMs());
			const timer = setTimeout(() => this.#stop(run), options.seconds * 1e3);
			return () => clearTimeout(timer);
		});
	}
	/**
	* Publishes at times drawn beforehand (a Poisson process of `perSecond`), whether or not earlier requests were
	* answered; the time an event waits for a connection counts as its latency.
	*/
	runOpenLoop(options) {
		return this.#start(false, (run) => {
			const gap = exponentialGaps(1e3 / options.perSecond, options.seed ?? 1);
			const startMs = monotonicMs();
			const endMs = startMs + options.seconds * 1e3;
			let dueMs = startMs + gap();
			let timer;
			const tick = () => {
				const now = monotonicMs();
				for (; dueMs <= now && dueMs < endMs; dueMs += gap()) this.#publishDue(run, dueMs, now);
				if (dueMs >= endMs) this.#stop(run);
				else timer = setTimeout(tick, Math.max(0, dueMs - now));
			};
			timer = setTimeout(tick, Math.max(0, dueMs - startMs));
			return () => clearTimeout(timer);
		});
	}
	close() {
		for (const connection of this.#connections) connection.close();
	}
	async #start(closedLoop, begin) {
		if (this.#run) throw new Error("The load generator runs one load at a time.");
		const result = {
			events: 0,
			requests: 0,
			refused: 0,
			firstSentAtMs: 0,
			lastAckAtMs: 0
		};
		let end = () => {};
		try {
			const run = await new Promise((resolve, reject) => {
				const started = {
					result,
					ackMs: new Histogram(),
					closedLoop,
					waiting: [],
					stopping: false,
					resolve: () => resolve(started),
					reject
				};
				this.#run = started;
				end = begin(started);
			});
			return {
				...result,
				ackMs: run.ackMs.toData()
			};
		} finally {
			end();
			this.#run = null;
		}
	}
	#publishDue(run, dueMs, nowMs) {
		const publishedAtMs = Math.min(nowMs, dueMs + TIMER_RESOLUTION_MS);
		const connection = this.#free.pop();
		if (connection) this.#sendNext(connection, publishedAtMs);
		else run.waiting.push(publishedAtMs);
	}
	#sendNext(connection, publishedAtMs) {
		const run = this.#run;
		if (run.result.firstSentAtMs === 0) run.result.firstSentAtMs = publishedAtMs;
		connection.stamp(this.#nextSequence, publishedAtMs);
		this.#nextSequence += this.#options.eventsPerRequest;
		connection.send();
	}
	#settle(connection, status, body) {
		const run = this.#run;
		if (!run) return;
		const now = monotonicMs();
		if (status === 503 || status === 429) {
			run.result.refused++;
			setTimeout(() => connection.send(), REFUSED_PAUSE_MS);
			return;
		}
		if (status < 200 || status > 299) {
			run.reject(/* @__PURE__ */ new Error(`The server answered a publish with ${status}: ${body.slice(0, 500)}`));
			return;
		}
		run.result.requests++;
		run.result.events += this.#options.eventsPerRequest;
		run.result.lastAckAtMs = now;
		run.ackMs.record(now - connection.publishedAtMs);
		if (run.waiting.length > 0) this.#sendNext(connection, run.waiting.shift());
		else if (run.closedLoop && !run.stopping) this.#sendNext(connection, now);
		else {
			this.#free.push(connection);
			if (run.stopping && this.#free.length === this.#connections.length) run.resolve();
		}
	}
	#stop(run) {
		run.stopping = true;
		if (this.#free.length === this.#connections.length) run.resolve();
	}
};
function prepareRequest(options) {
	const event = `{"type":"${EVENT_TYPE}","data":${stampedData(options.dataBytes)}}`;
	const { eventsPerRequest } = options;
	const body = eventsPerRequest === 1 ? event : `{"events":[${Array(eventsPerRequest).fill(event).join(",")}]}`;
	const headers = {
		host: new URL(options.origin).host,
		"content-type": "application/json",
		...options.headers,
		"content-length": String(Buffer.byteLength(body))
	};
	const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
	const bytes = Buffer.from(`POST ${options.path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
	return {
		bytes,
		stamps: findStamps(bytes)
	};
}
/** One keep-alive connection with its own copy of the request bytes and one request under way at most. */
var Connection = class {
	#bytes;
	#stamps;
	#on;
	#socket = null;
	publishedAtMs = 0;
	constructor(request, on) {
		this.#bytes = Buffer.from(request.bytes);
		this.#stamps = request.stamps;
		this.#on = on;
	}
	async open(host, port) {
		const framer = new HttpFramer((bytes, start, bodyStart, end) => {
			const status = (bytes[start + 9] - 48) * 100 + (bytes[start + 10] - 48) * 10 + (bytes[start + 11] - 48);
			if (status < 200) return;
			this.#on.onResponse(status, status > 299 ? bytes.toString("utf8", bodyStart, end) : "");
		});
		const buffer = Buffer.allocUnsafe(65536);
		const onread = {
			buffer,
			callback: (length) => {
				try {
					framer.push(buffer.subarray(0, length));
				} catch (error) {
					this.#on.onLost(error);
				}
				return true;
			}
		};
		const socket = net.connect({
			host,
			port,
			noDelay: true,
			onread
		});
		await new Promise((resolve, reject) => {
			socket.once("connect", resolve);
			socket.once("error", reject);
		});
		socket.on("error", () => {});
		socket.on("close", () => this.#on.onLost(/* @__PURE__ */ new Error(`The server at ${host}:${port} closed a connection.`)));
		this.#socket = socket;
	}
	stamp(firstSequence, publishedAtMs) {
		this.publishedAtMs = publishedAtMs;
		for (let i = 0; i < this.#stamps.length; i++) writeStamp(this.#bytes, this.#stamps[i], {
			sequence: firstSequence + i,
			publishedAtMs
		});
	}
	send() {
		this.#socket?.write(this.#bytes);
	}
	close() {
		this.#socket?.removeAllListeners("close");
		this.#socket?.destroy();
	}
};
/** Gaps between the events of a Poisson process; the same seed gives the same gaps in every run. */
function exponentialGaps(meanMs, seed) {
	let state = seed;
	return () => {
		state = state * 48271 % 2147483647;
		return -Math.log(state / 2147483647) * meanMs;
	};
}
//#endregion
export { LoadGenerator };

//# sourceMappingURL=load-generator.js.map