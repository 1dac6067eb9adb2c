// Every fault there is.
import type { Scenario } from './scenario.ts';
import { backendsTerminated } from './scenarios/backends-terminated.ts';
import { blackHoles } from './scenarios/black-holes.ts';
import { blackHolesLarge } from './scenarios/black-holes-large.ts';
import { clockJumps } from './scenarios/clock-jumps.ts';
import { connectionsExhausted } from './scenarios/connections-exhausted.ts';
import { databaseUnreachable } from './scenarios/database-unreachable.ts';
import { diskFull } from './scenarios/disk-full.ts';
import { haltPastLease } from './scenarios/halt-past-lease.ts';
import { killAtFailpoints } from './scenarios/kill-at-failpoints.ts';
import { killAtRandom } from './scenarios/kill-at-random.ts';
import { loudApp } from './scenarios/loud-app.ts';
import { poisonEvent } from './scenarios/poison-event.ts';
import { postgresRestarts } from './scenarios/postgres-restarts.ts';
import { receiverDown } from './scenarios/receiver-down.ts';
import { rollingDeploys } from './scenarios/rolling-deploys.ts';
import { staleFlush } from './scenarios/stale-flush.ts';
import { throttlingStorm } from './scenarios/throttling-storm.ts';

export const SCENARIOS: readonly Scenario[] = [
  killAtFailpoints,
  killAtRandom,
  haltPastLease,
  staleFlush,
  rollingDeploys,
  clockJumps,
  postgresRestarts,
  backendsTerminated,
  connectionsExhausted,
  ...databaseUnreachable,
  diskFull,
  receiverDown,
  poisonEvent,
  throttlingStorm,
  blackHoles,
  blackHolesLarge,
  loudApp,
];
