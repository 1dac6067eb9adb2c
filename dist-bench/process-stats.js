import { readFileSync, readdirSync } from "node:fs";
//#region process-stats.ts
const MICROS_PER_TICK = 1e4;
/** Parses `/proc/<pid>/stat`. The name stands in parentheses and may hold spaces and parentheses itself. */
function parseProcessStat(text) {
	const nameEnd = text.lastIndexOf(")");
	const fields = text.slice(nameEnd + 2).split(" ");
	const ticks = (field) => Number(fields[field - 3]);
	return {
		pid: Number.parseInt(text, 10),
		parentPid: ticks(4),
		name: text.slice(text.indexOf("(") + 1, nameEnd),
		cpuMicros: (ticks(14) + ticks(15)) * MICROS_PER_TICK,
		endedChildrenMicros: (ticks(16) + ticks(17)) * MICROS_PER_TICK
	};
}
/** Null when there is no such process. */
function readProcessStat(pid) {
	try {
		return parseProcessStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
	} catch {
		return null;
	}
}
/** The greatest resident memory the process has had, in bytes; NaN when there is no such process. */
function readPeakMemoryBytes(pid) {
	try {
		return parsePeakMemoryBytes(readFileSync(`/proc/${pid}/status`, "latin1"));
	} catch {
		return NaN;
	}
}
function parsePeakMemoryBytes(status) {
	return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) * 1024;
}
/** Every process of the machine; one that ends meanwhile is left out. */
function readAllProcessStats() {
	return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((name) => readProcessStat(Number(name))).filter((stat) => stat !== null);
}
/**
* CPU of a process and all its descendants but those that `leaveOut` names (with their descendants). Ended children count once they were
* waited for.
*/
function treeCpuMicros(stats, rootPid, leaveOut = () => false) {
	const root = stats.find((stat) => stat.pid === rootPid);
	if (!root) return 0;
	let sum = root.cpuMicros + root.endedChildrenMicros;
	for (const child of stats) if (child.parentPid === rootPid && !leaveOut(child)) sum += treeCpuMicros(stats, child.pid, leaveOut);
	return sum;
}
//#endregion
export { parsePeakMemoryBytes, parseProcessStat, readAllProcessStats, readPeakMemoryBytes, readProcessStat, treeCpuMicros };

//# sourceMappingURL=process-stats.js.map