import { answerCalls } from "./child-process.js";
import { Receiver } from "./receiver.js";
//#region receiver-process.ts
const receiver = new Receiver();
const handlers = {
	listen: () => receiver.listen(),
	stats: () => ({
		...receiver.stats(),
		cpuMicros: cpuMicros()
	}),
	latency: () => receiver.latency(),
	resetLatency: () => receiver.resetLatency()
};
function cpuMicros() {
	const { user, system } = process.cpuUsage();
	return user + system;
}
answerCalls(handlers);
//#endregion
export {};

//# sourceMappingURL=receiver-process.js.map