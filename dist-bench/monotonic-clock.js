//#region monotonic-clock.ts
const OFFSET_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();
/** Milliseconds of the machine's monotonic clock, comparable between processes to about a microsecond. */
function monotonicMs() {
	return OFFSET_MS + performance.now();
}
//#endregion
export { monotonicMs };

//# sourceMappingURL=monotonic-clock.js.map