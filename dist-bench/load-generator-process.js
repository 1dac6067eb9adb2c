import { answerCalls } from "./child-process.js";
import { LoadGenerator } from "./load-generator.js";
//#region load-generator-process.ts
let generator = null;
const handlers = {
	async connect(options) {
		generator = new LoadGenerator(options);
		await generator.connect();
	},
	runClosedLoop: (options) => withCpu(() => generator.runClosedLoop(options)),
	runOpenLoop: (options) => withCpu(() => generator.runOpenLoop(options))
};
async function withCpu(run) {
	const before = process.cpuUsage();
	const result = await run();
	const { user, system } = process.cpuUsage(before);
	return {
		...result,
		cpuMicros: user + system
	};
}
answerCalls(handlers);
//#endregion
export {};

//# sourceMappingURL=load-generator-process.js.map