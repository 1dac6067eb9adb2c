//#region target.ts
function publishPath(app) {
	return (eventsPerRequest) => `/v1/apps/${app}/events${eventsPerRequest > 1 ? "/batch" : ""}`;
}
//#endregion
export { publishPath };

//# sourceMappingURL=target.js.map