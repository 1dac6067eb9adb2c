import { fork } from "node:child_process";
//#region child-process.ts
/** In the child: answers calls until the parent goes away. */
function answerCalls(handlers) {
	process.on("message", async ({ id, name, argument }) => {
		const response = { id };
		try {
			response.value = await handlers[name](argument);
		} catch (error) {
			response.error = error.message;
		}
		if (process.connected) process.send(response);
	});
	process.on("disconnect", () => process.exit());
	process.on("SIGINT", () => {});
}
/** In the parent: starts the program `name` that lies beside this file. Its CPU goes into the child's own account. */
function startChild(name) {
	const child = fork(new URL(`./${name}.js`, import.meta.url), { stdio: [
		"ignore",
		"inherit",
		"inherit",
		"ipc"
	] });
	const pending = /* @__PURE__ */ new Map();
	let nextId = 1;
	child.on("message", ({ id, value, error }) => {
		const call = pending.get(id);
		pending.delete(id);
		if (error !== void 0) call?.reject(new Error(error));
		else call?.resolve(value);
	});
	child.on("exit", (code, signal) => {
		for (const { reject } of pending.values()) reject(/* @__PURE__ */ new Error(`The ${name} process ended (${signal ?? code}).`));
		pending.clear();
	});
	const call = (method, argument) => new Promise((resolve, reject) => {
		if (!child.connected) {
			reject(/* @__PURE__ */ new Error(`The ${name} process has ended.`));
			return;
		}
		const id = nextId++;
		pending.set(id, {
			resolve,
			reject
		});
		child.send({
			id,
			name: method,
			argument
		});
	});
	return {
		calls: new Proxy({}, { get: (_, method) => (argument) => call(String(method), argument) }),
		pid: child.pid,
		stop: () => endOf(child)
	};
}
async function endOf(child) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = new Promise((resolve) => child.once("exit", resolve));
	if (child.connected) child.disconnect();
	await ended;
}
//#endregion
export { answerCalls, startChild };

//# sourceMappingURL=child-process.js.map