import { measureFloor } from "../load-measurement.js";
import { formatNumber, roundTo } from "../table.js";
import { LOAD_VARIANT_NAMES, closedLoopPlan } from "./load-variants.js";
//#region scenarios/floor.ts
const floor = {
	name: "floor",
	describe: "the same HTTP in, HMAC and HTTP out with nothing stored, matched or authenticated: what the machine allows",
	async run(context) {
		const measured = [];
		for (const variant of LOAD_VARIANT_NAMES) {
			context.log(`floor: ${variant}`);
			measured.push({
				variant,
				load: await measureFloor(closedLoopPlan(context, variant))
			});
		}
		const row = (label, cell) => ({
			label,
			cells: measured.map(({ load }) => cell(load))
		});
		return {
			json: {
				scenario: "floor",
				...Object.fromEntries(measured.map(({ variant, load }) => [variant, {
					deliveriesPerSecond: roundTo(load.deliveriesPerSecond),
					cpuMicros: { process: roundTo(load.cpuMicros.process, 1) },
					ackMs: {
						p50: roundTo(load.ackMs.p50, 2),
						p99: roundTo(load.ackMs.p99, 2)
					}
				}]))
			},
			table: {
				title: `floor: 1 KB events, 64 connections, ${context.seconds} s each`,
				columns: measured.map(({ variant }) => variant),
				rows: [
					row("deliveries/s", (load) => formatNumber(load.deliveriesPerSecond)),
					row("CPU process, µs/delivery", (load) => formatNumber(load.cpuMicros.process, 1)),
					row("ack p50, ms", (load) => formatNumber(load.ackMs.p50, 2)),
					row("ack p99, ms", (load) => formatNumber(load.ackMs.p99, 2)),
					row("peak memory, MB", (load) => formatNumber(load.peakMemoryBytes / 1e6)),
					row("deliveries", (load) => formatNumber(load.deliveries)),
					row("generator, µs/request", (load) => formatNumber(load.generatorMicros, 1)),
					row("receiver, µs/request", (load) => formatNumber(load.receiverMicros, 1))
				]
			}
		};
	}
};
//#endregion
export { floor };

//# sourceMappingURL=floor.js.map