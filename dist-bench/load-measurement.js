import { startChild } from "./child-process.js";
import { Histogram } from "./histogram.js";
import { readAllProcessStats, readPeakMemoryBytes, treeCpuMicros } from "./process-stats.js";
import { publishPath } from "./target.js";
import { setTimeout } from "node:timers/promises";
//#region load-measurement.ts
const POLL_MS = 20;
const STALLED_MS = 3e4;
/** Runs receiver and generator as processes against the target that `open` gives, and ends them again. */
async function measureLoad(open, plan) {
	plan.signal.throwIfAborted();
	const receiver = startChild("receiver-process");
	const generator = startChild("load-generator-process");
	const stop = () => Promise.all([generator.stop(), receiver.stop()]);
	plan.signal.addEventListener("abort", stop, { once: true });
	try {
		const { shape } = plan;
		const { port } = await receiver.calls.listen();
		const target = await open({
			receiverOrigin: `http://127.0.0.1:${port}`,
			endpoints: shape.endpoints
		});
		await generator.calls.connect({
			origin: target.origin,
			path: target.publishPath(shape.eventsPerRequest),
			headers: target.headers,
			connections: shape.connections,
			eventsPerRequest: shape.eventsPerRequest,
			dataBytes: shape.dataBytes
		});
		const publish = (seconds) => plan.eventsPerSecond === null ? generator.calls.runClosedLoop({ seconds }) : generator.calls.runOpenLoop({
			perSecond: plan.eventsPerSecond,
			seconds
		});
		const warmUp = await publish(plan.warmUpSeconds);
		const before = await untilDelivered(receiver.calls, warmUp.events * shape.endpoints);
		await receiver.calls.resetLatency();
		const sampleBefore = await target.sample();
		const load = await publish(plan.seconds);
		const after = await untilDelivered(receiver.calls, (warmUp.events + load.events) * shape.endpoints);
		const sampleAfter = await target.sample();
		const deliveries = load.events * shape.endpoints;
		const per = (from, to, count) => from === null || to === null ? null : (to - from) / count;
		return {
			events: load.events,
			deliveries,
			deliveriesPerSecond: deliveries / ((after.lastDistinctAtMs - load.firstSentAtMs) / 1e3),
			cpuMicros: {
				process: (sampleAfter.processMicros - sampleBefore.processMicros) / deliveries,
				postgres: per(sampleBefore.postgresMicros, sampleAfter.postgresMicros, deliveries)
			},
			ackMs: Histogram.fromData(load.ackMs).summary(),
			endToEndMs: Histogram.fromData(await receiver.calls.latency()).summary(),
			walBytesPerEvent: per(sampleBefore.walBytes, sampleAfter.walBytes, load.events),
			duplicates: after.duplicates,
			refused: load.refused,
			connectionsOpened: after.connections - before.connections,
			peakMemoryBytes: target.peakMemoryBytes(),
			generatorMicros: load.cpuMicros / load.requests,
			receiverMicros: (after.cpuMicros - before.cpuMicros) / (after.requests - before.requests)
		};
	} finally {
		plan.signal.removeEventListener("abort", stop);
		await stop();
	}
}
/** The same against the floor, which lives as long as the measurement. */
async function measureFloor(plan) {
	const floor = startChild("floor-server-process");
	try {
		return await measureLoad(async (options) => {
			const { port } = await floor.calls.listen(options);
			return {
				origin: `http://127.0.0.1:${port}`,
				headers: {},
				publishPath: publishPath("app"),
				sample: async () => ({
					processMicros: treeCpuMicros(readAllProcessStats(), floor.pid),
					postgresMicros: null,
					walBytes: null
				}),
				peakMemoryBytes: () => readPeakMemoryBytes(floor.pid)
			};
		}, plan);
	} finally {
		await floor.stop();
	}
}
/** Waits for `expected` distinct deliveries. @throws Error when nothing more comes though some are missing. */
async function untilDelivered(receiver, expected) {
	let progressAt = performance.now();
	let last = -1;
	for (;;) {
		const stats = await receiver.stats();
		if (stats.distinct === expected) return stats;
		if (stats.distinct > expected) throw new Error(`${stats.distinct} deliveries arrived of ${expected} events that were acknowledged.`);
		if (stats.distinct !== last) {
			last = stats.distinct;
			progressAt = performance.now();
		} else if (performance.now() - progressAt > STALLED_MS) throw new Error(`${expected - stats.distinct} of ${expected} deliveries are missing, and none has come for ${STALLED_MS / 1e3} s (${stats.duplicates} duplicates, ${stats.malformed} malformed).`);
		await setTimeout(POLL_MS);
	}
}
//#endregion
export { measureFloor, measureLoad };

//# sourceMappingURL=load-measurement.js.map