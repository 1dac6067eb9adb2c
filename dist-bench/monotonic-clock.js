//#region monotonic-clock.ts
/** Milliseconds of the machine's monotonic clock, comparable between its processes. */
function monotonicMs() {
	const [seconds, nanos] = process.hrtime();
	return seconds * 1e3 + nanos / 1e6;
}
//#endregion
export { monotonicMs };

//# sourceMappingURL=monotonic-clock.js.map