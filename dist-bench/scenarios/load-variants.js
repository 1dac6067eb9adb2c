//#region scenarios/load-variants.ts
const BASE = {
	connections: 64,
	dataBytes: 1024,
	endpoints: 1,
	eventsPerRequest: 1
};
const LOAD_VARIANTS = {
	fanOut1: BASE,
	fanOut5: {
		...BASE,
		endpoints: 5
	},
	batch20: {
		...BASE,
		eventsPerRequest: 20
	}
};
const LOAD_VARIANT_NAMES = Object.keys(LOAD_VARIANTS);
function closedLoopPlan(context, variant) {
	const { seconds, warmUpSeconds, signal } = context;
	return {
		shape: LOAD_VARIANTS[variant],
		seconds,
		warmUpSeconds,
		eventsPerSecond: null,
		signal
	};
}
//#endregion
export { LOAD_VARIANTS, LOAD_VARIANT_NAMES, closedLoopPlan };

//# sourceMappingURL=load-variants.js.map