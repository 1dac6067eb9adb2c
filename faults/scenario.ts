// A scenario is a file in scenarios/ that exports one of these; scenario-table.ts lists them.

/** What a scenario found. */
export interface Verdict {
  acknowledged: number;
  /** Of acknowledged events, to all their endpoints. */
  delivered: number;
  duplicates: number;
  /** Sends without a recorded attempt that the faults allow, over all endpoints (I2). */
  bound: number;
  /** What did not hold, in words; none = survived. */
  problems: string[];
  /** What was measured besides, by name with its unit. */
  measured: Record<string, number | string>;
}

export interface ScenarioContext {
  /** The form for CI: the same faults, each as short as it can be. */
  short: boolean;
  /** Says what is being done, while it is done. */
  log: (line: string) => void;
  /** Aborted when the suite is interrupted. */
  signal: AbortSignal;
}

export interface Scenario {
  name: string;
  /** One sentence: the fault. */
  describe: string;
  /** About how long it takes. */
  seconds: { short: number; full: number };
  /** It measures delays, so no other scenario may run beside it. */
  alone?: boolean;
  /** @throws NotPossible where the machine does not let it run */
  run(context: ScenarioContext): Promise<Verdict>;
}

/** The machine cannot produce this fault. Such a scenario is not passed: it was not run. */
export class NotPossible extends Error {
  override readonly name = 'NotPossible';
}
