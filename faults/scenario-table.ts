// Every fault there is.
import type { Scenario } from './scenario.ts';
import { backendsTerminated } from './scenarios/backends-terminated.ts';
import { connectionsExhausted } from './scenarios/connections-exhausted.ts';
import { databaseUnreachable } from './scenarios/database-unreachable.ts';
import { haltPastLease } from './scenarios/halt-past-lease.ts';
import { killAtRandom } from './scenarios/kill-at-random.ts';
import { postgresRestarts } from './scenarios/postgres-restarts.ts';

export const SCENARIOS: readonly Scenario[] = [
  killAtRandom,
  haltPastLease,
  postgresRestarts,
  backendsTerminated,
  connectionsExhausted,
  ...databaseUnreachable,
];
