import { Histogram } from "./histogram.js";
import { HttpFramer } from "./http-framer.js";
import { monotonicMs } from "./monotonic-clock.js";
import { findStamp, readPublishedAtMs, readSequence } from "./stamped-data.js";
import net from "node:net";
//#region receiver.ts
const RESPONSE = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const RESPONSES = Array.from({ length: 33 }, (_, count) => Buffer.from(RESPONSE.repeat(count)));
const FIRST_DIGIT_AT = 8;
var Receiver = class {
	#server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
	#sockets = /* @__PURE__ */ new Set();
	#latency = new Histogram();
	/** By path index: one byte per sequence number. */
	#seen = [];
	#requests = 0;
	#distinct = 0;
	#duplicates = 0;
	#malformed = 0;
	#connections = 0;
	#lastDistinctAtMs = 0;
	async listen() {
		await new Promise((resolve, reject) => {
			this.#server.once("error", reject);
			this.#server.listen(0, "127.0.0.1", 1024, resolve);
		});
		return { port: this.#server.address().port };
	}
	stats() {
		return {
			requests: this.#requests,
			distinct: this.#distinct,
			duplicates: this.#duplicates,
			malformed: this.#malformed,
			connections: this.#connections,
			lastDistinctAtMs: this.#lastDistinctAtMs
		};
	}
	/** Publish to receive, of first deliveries since the last `resetLatency`. */
	latency() {
		return this.#latency.toData();
	}
	resetLatency() {
		this.#latency.clear();
	}
	async close() {
		for (const socket of this.#sockets) socket.destroy();
		if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
	}
	#accept(socket) {
		this.#sockets.add(socket);
		this.#connections++;
		let answers = 0;
		const framer = new HttpFramer((bytes, start, bodyStart) => {
			answers++;
			this.#count(bytes, start, bodyStart);
		});
		socket.on("data", (chunk) => {
			answers = 0;
			try {
				framer.push(chunk);
			} catch {
				this.#malformed++;
				socket.destroy();
				return;
			}
			if (answers > 0) socket.write(RESPONSES[answers] ?? RESPONSE.repeat(answers));
		});
		socket.on("error", () => socket.destroy());
		socket.on("close", () => this.#sockets.delete(socket));
	}
	#count(bytes, start, bodyStart) {
		this.#requests++;
		const stamp = findStamp(bytes, bodyStart);
		if (stamp < 0) {
			this.#malformed++;
			return;
		}
		let index = 0;
		for (let at = start + FIRST_DIGIT_AT; bytes[at] >= 48 && bytes[at] <= 57; at++) index = index * 10 + bytes[at] - 48;
		const sequence = readSequence(bytes, stamp);
		let seen = this.#seen[index] ?? new Uint8Array(65536);
		if (sequence >= seen.length) {
			const grown = new Uint8Array(Math.max(sequence + 1, seen.length * 2));
			grown.set(seen);
			seen = grown;
		}
		this.#seen[index] = seen;
		if (seen[sequence] !== 0) {
			this.#duplicates++;
			return;
		}
		seen[sequence] = 1;
		this.#distinct++;
		this.#lastDistinctAtMs = monotonicMs();
		this.#latency.record(this.#lastDistinctAtMs - readPublishedAtMs(bytes, stamp));
	}
};
//#endregion
export { Receiver };

//# sourceMappingURL=receiver.js.map