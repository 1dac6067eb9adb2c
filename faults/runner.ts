// Runs scenarios, several at once where they do not measure delays: most of their time is waiting for a lease to run out.
import type { ReportRow } from './report.ts';
import { NotPossible, type Scenario, type ScenarioContext } from './scenario.ts';

export interface RunnerOptions {
  short: boolean;
  /** Scenarios at once. */
  jobs: number;
  signal: AbortSignal;
  onProgress: (name: string, line: string) => void;
}

/** The rows in the order of the scenarios. Those that must run alone come last. */
export async function runScenarios(scenarios: readonly Scenario[], options: RunnerOptions): Promise<ReportRow[]> {
  const rows = new Map<string, ReportRow>();
  const run = async (queue: Scenario[]): Promise<void> => {
    for (let next = queue.shift(); next && !options.signal.aborted; next = queue.shift()) {
      rows.set(next.name, await runOne(next, options));
    }
  };
  // The longest first, so that none is left over at the end.
  const together = scenarios
    .filter(({ alone }) => !alone)
    .sort((a, b) => secondsOf(b, options) - secondsOf(a, options));
  await Promise.all(Array.from({ length: options.jobs }, () => run(together)));
  await run(scenarios.filter(({ alone }) => alone));
  return scenarios.flatMap(({ name }) => rows.get(name) ?? []);
}

function secondsOf({ seconds }: Scenario, { short }: RunnerOptions): number {
  return short ? seconds.short : seconds.full;
}

async function runOne(scenario: Scenario, options: RunnerOptions): Promise<ReportRow> {
  const { name } = scenario;
  const { short, signal, onProgress } = options;
  const log = (line: string) => onProgress(name, line);
  const context: ScenarioContext = { short, signal, log };
  const begin = performance.now();
  const row = (outcome: ReportRow['outcome'], rest: Partial<ReportRow> = {}): ReportRow => {
    const seconds = Math.round((performance.now() - begin) / 100) / 10;
    log(`${outcome} (${seconds} s)`);
    return { name, outcome, seconds, verdict: null, problems: [], ...rest };
  };
  log(`begins (about ${secondsOf(scenario, options)} s)`);
  try {
    const verdict = await scenario.run(context);
    return row(verdict.problems.length === 0 ? 'survived' : 'not survived', { verdict, problems: verdict.problems });
  } catch (error) {
    if (error instanceof NotPossible) return row('not run', { problems: [error.message] });
    return row('not survived', { problems: [`It broke off: ${(error as Error).stack ?? error}`] });
  }
}
