// The three shapes of load that `throughput` and `floor` have in common.
import type { LoadPlan } from '../load-measurement.ts';
import type { ScenarioContext } from '../scenario.ts';

const BASE = { connections: 64, dataBytes: 1024, apps: 1, endpoints: 1, eventsPerRequest: 1 };

export const LOAD_VARIANTS = {
  fanOut1: BASE,
  fanOut5: { ...BASE, endpoints: 5 },
  batch20: { ...BASE, eventsPerRequest: 20 },
} as const satisfies Record<string, LoadPlan['shape']>;
export type LoadVariant = keyof typeof LOAD_VARIANTS;

/** The variants asked for. */
export function chosenVariants({ variants }: ScenarioContext): LoadVariant[] {
  const names = Object.keys(LOAD_VARIANTS) as LoadVariant[];
  return variants === null ? names : names.filter((name) => variants.includes(name));
}

export function closedLoopPlan(context: ScenarioContext, variant: LoadVariant): LoadPlan {
  const { seconds, warmUpSeconds, signal } = context;
  return { shape: LOAD_VARIANTS[variant], seconds, warmUpSeconds, eventsPerSecond: null, signal };
}
