// A scenario is a file in scenarios/ that exports one of these; main.ts lists them.
import type { Table } from './table.ts';

export interface ScenarioContext {
  /** Null = the embedded server, on a new data folder for each scenario. */
  databaseUrl: string | null;
  /** Length of each measured load; a warm-up comes before it. */
  seconds: number;
  warmUpSeconds: number;
  /** Of scenarios with several shapes of load, only these; null = all. */
  variants: string[] | null;
  /** How often scenarios that compare two conditions measure each of them. */
  rounds: number;
  /** Of backlog: how many events wait. */
  events: number;
  /** Of many: how many apps there are. */
  apps: number;
  /** Further options for the server's node, such as `--cpu-prof`. */
  nodeOptions: string[];
  /** Says what is being done, while it is done. */
  log: (line: string) => void;
  /** Aborted when the benchmark is interrupted. */
  signal: AbortSignal;
}

export interface ScenarioResult {
  /** One object, printed with `--json`; its first member is `scenario`. */
  json: { scenario: string } & Record<string, unknown>;
  table: Table;
}

export interface Scenario {
  name: string;
  /** One sentence for `--help`. */
  describe: string;
  run(context: ScenarioContext): Promise<ScenarioResult>;
}
