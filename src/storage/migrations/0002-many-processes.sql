-- What several processes, outages and floods need besides: loads to balance by, replays with progress, batched requests.

-- A process says what it does and how much of it, so that slots can be shared out by delivery rate.
ALTER TABLE processes
  ADD COLUMN roles text[] NOT NULL DEFAULT '{api,push,inbound}',
  ADD COLUMN deliveries_per_second real NOT NULL DEFAULT 0;

-- A replay's cursor is kept like a lane's: events after from_position up to to_position. `types` null = all; `reason` not null = of the
-- dead, those that died of it. Counters are of events, not of attempts.
ALTER TABLE replays
  ADD COLUMN from_day date NOT NULL DEFAULT '2000-01-01',
  ADD COLUMN to_day date NOT NULL DEFAULT '2000-01-01',
  ADD COLUMN reason text,
  ADD COLUMN settled_day date NOT NULL DEFAULT '2000-01-01',
  ADD COLUMN delivered bigint NOT NULL DEFAULT 0,
  ADD COLUMN dead bigint NOT NULL DEFAULT 0;
CREATE INDEX replays_running ON replays (app_id, endpoint_id) WHERE state = 'running';

-- The request that an attempt shared with other events of its batch (design rule 20); null for one of its own.
ALTER TABLE attempts ADD COLUMN batch_id uuid;

-- The sweep for due retries that no process holds in memory asks by time alone (design rule 10).
CREATE INDEX retries_by_time ON retries (due_at);

-- Scheduled events are taken app by app, oldest first, and listed newest first.
CREATE INDEX scheduled_by_app ON scheduled (app_id, due_at, event_id);
CREATE INDEX scheduled_by_creation ON scheduled (app_id, created_at, event_id);
ALTER TABLE scheduled ALTER COLUMN data SET STORAGE EXTERNAL;

-- It was told that the endpoint lags; not again until all that waited then, up to here, is settled.
ALTER TABLE lanes ADD COLUMN lag_told_through bigint NOT NULL DEFAULT 0;
