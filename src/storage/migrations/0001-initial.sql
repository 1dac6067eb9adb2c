-- The schema of the whole design. Ids are 16-byte UUIDv7 minted in the process (uuidv7() does not exist before Postgres 18).
-- Every key of an app's data begins with app_id, so that the tables can be distributed by it.

-- What belongs to the installation as a whole. `generation` is in every cursor and raised after a restore (design rule 6);
-- `cursor_key` signs cursors and is sealed with the master key, so it outlives that key's rotation.
CREATE TABLE instance (
  singleton boolean PRIMARY KEY DEFAULT true CONSTRAINT instance_is_one CHECK (singleton),
  generation integer NOT NULL DEFAULT 1,
  cursor_key bytea,
  master_key_check bytea,
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO instance DEFAULT VALUES;

CREATE TABLE apps (
  app_id uuid PRIMARY KEY,
  uid text COLLATE "C",
  name text NOT NULL,
  metadata jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz
);
CREATE UNIQUE INDEX apps_uid ON apps (uid) WHERE deleted_at IS NULL;

-- The end of each app's log, and its one lock. The row exists as long as the app is live: deleting it is what stops
-- publishers at once (design rule 21). Narrow, half filled and without a further index, so that every update is HOT.
CREATE TABLE heads (
  app_id uuid PRIMARY KEY,
  last_position bigint NOT NULL,
  config_version bigint NOT NULL,
  changed_at timestamptz NOT NULL,
  last_day date NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The log. Positions are dense per app; a position's day never decreases (design rule 5), so a reader that carries
-- (position, day) touches one partition at a time.
CREATE TABLE events (
  app_id uuid NOT NULL,
  position bigint NOT NULL,
  config_version bigint NOT NULL,
  time timestamptz NOT NULL,
  appended_at timestamptz NOT NULL,
  day date NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  channels text[],
  data bytea NOT NULL,
  PRIMARY KEY (app_id, position, day)
) PARTITION BY RANGE (day);
CREATE INDEX events_by_id ON events (app_id, event_id);

-- Both the Idempotency-Key header ('k:…') and an event's own id ('e:…'). Unpartitioned: a key must be unique over days.
CREATE TABLE idempotency_keys (
  app_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL,
  body_hash bytea NOT NULL,
  result_ids text[] NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

-- Events that wait for their time; appended with DELETE … RETURNING as the claim (design rule 7).
CREATE TABLE scheduled (
  app_id uuid NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  due_at timestamptz NOT NULL,
  type text COLLATE "C" NOT NULL,
  time timestamptz,
  channels text[],
  data bytea NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, event_id)
);
CREATE INDEX scheduled_by_due ON scheduled (due_at);

CREATE TABLE event_types (
  type text COLLATE "C" PRIMARY KEY,
  description text NOT NULL,
  schema jsonb,
  example jsonb,
  validation text NOT NULL DEFAULT 'off' CONSTRAINT event_types_validation CHECK (validation IN ('off', 'warn', 'reject')),
  archived boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
  key_id uuid PRIMARY KEY,
  app_id uuid,
  hash bytea NOT NULL CONSTRAINT api_keys_hash UNIQUE,
  name text NOT NULL,
  hint text NOT NULL,
  permissions text[] NOT NULL,
  expires_at timestamptz,
  created_at timestamptz NOT NULL
);

-- User pause and system disable are separate, so that neither undoes the other. skip_through: positions up to here are
-- not to be delivered (resumed from the head).
CREATE TABLE endpoints (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  uid text COLLATE "C",
  config_version bigint NOT NULL,
  config jsonb NOT NULL,
  paused_at timestamptz,
  disabled_at timestamptz,
  disabled_reason text,
  skip_through bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  PRIMARY KEY (app_id, endpoint_id)
);
CREATE UNIQUE INDEX endpoints_uid ON endpoints (app_id, uid) WHERE deleted_at IS NULL;

-- Which filter was valid from which position (design rule 4). Written under the head's row lock.
CREATE TABLE endpoint_versions (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  config_version bigint NOT NULL,
  from_position bigint NOT NULL,
  filter jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, endpoint_id, config_version)
);

-- AES-256-GCM, key id inside the ciphertext, bound to app and row. During a rotation's grace several are current.
CREATE TABLE endpoint_secrets (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  secret_id uuid NOT NULL,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  PRIMARY KEY (app_id, endpoint_id, secret_id)
);

-- An endpoint's cursor. settled_through = everything up to here is delivered, unmatched, dead, or in `retries`.
-- The attempts made beyond it have ids from low_attempt_id on: recovery's anti-join begins there. The row exists as long
-- as the endpoint is live: flushes join on it (design rule 21). HOT updates only: slot never changes.
CREATE TABLE lanes (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  slot smallint NOT NULL,
  settled_through bigint NOT NULL,
  settled_day date NOT NULL,
  low_attempt_id uuid,
  breaker text NOT NULL DEFAULT 'closed' CONSTRAINT lanes_breaker CHECK (breaker IN ('closed', 'open', 'probing', 'slow_start')),
  breaker_open_since timestamptz,
  breaker_next_probe_at timestamptz,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, endpoint_id)
) WITH (fillfactor = 50);
CREATE INDEX lanes_by_slot ON lanes (slot, app_id, endpoint_id);

-- One row per failed event that will be tried again. cursor_id is zero for the endpoint's own cursor, else a replay's id.
CREATE TABLE retries (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  cursor_id uuid NOT NULL,
  position bigint NOT NULL,
  day date NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  attempts smallint NOT NULL,
  consumed smallint NOT NULL,
  due_at timestamptz NOT NULL,
  last_reason text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, endpoint_id, cursor_id, position)
) WITH (fillfactor = 80);
CREATE INDEX retries_by_due ON retries (app_id, endpoint_id, due_at);

CREATE TABLE dead (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  cursor_id uuid NOT NULL,
  position bigint NOT NULL,
  day date NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  attempts smallint NOT NULL,
  reason text NOT NULL,
  died_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, endpoint_id, cursor_id, position)
);
CREATE INDEX dead_by_time ON dead (app_id, died_at);

-- A range of positions that retention dropped before the lane reached it (design rule 21).
CREATE TABLE expirations (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  from_position bigint NOT NULL,
  to_position bigint NOT NULL,
  expired_at timestamptz NOT NULL,
  PRIMARY KEY (app_id, endpoint_id, from_position)
);

-- Append only: one row per HTTP request made. attempt_id is minted in the process and monotonic per lane.
CREATE TABLE attempts (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  attempt_id uuid NOT NULL,
  cursor_id uuid,
  position bigint NOT NULL,
  started_at timestamptz NOT NULL,
  day date NOT NULL,
  cause smallint NOT NULL,
  attempt smallint NOT NULL,
  outcome smallint NOT NULL,
  reason smallint NOT NULL,
  status smallint,
  dns_us integer,
  connect_us integer,
  tls_us integer,
  first_byte_us integer,
  total_us integer NOT NULL,
  dead boolean NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  remote_address text,
  response_head bytea,
  response_body bytea,
  error text,
  PRIMARY KEY (app_id, endpoint_id, attempt_id, day)
) PARTITION BY RANGE (day);
CREATE INDEX attempts_by_position ON attempts (app_id, position);

CREATE TABLE replays (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  replay_id uuid NOT NULL,
  from_position bigint NOT NULL,
  to_position bigint NOT NULL,
  only_outcome text NOT NULL CONSTRAINT replays_only CHECK (only_outcome IN ('all', 'failed', 'dead')),
  types text[],
  settled_through bigint NOT NULL,
  low_attempt_id uuid,
  state text NOT NULL CONSTRAINT replays_state CHECK (state IN ('running', 'done', 'cancelled')),
  created_at timestamptz NOT NULL,
  finished_at timestamptz,
  PRIMARY KEY (app_id, endpoint_id, replay_id)
);

-- The fence (design rule 1): a flush holds its process's row with FOR KEY SHARE; whoever takes over takes it FOR UPDATE.
CREATE TABLE processes (
  process_id uuid PRIMARY KEY,
  epoch integer NOT NULL,
  state text NOT NULL CONSTRAINT processes_state CHECK (state IN ('live', 'dead')),
  leased_until timestamptz NOT NULL,
  started_at timestamptz NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  version text NOT NULL
);

CREATE TABLE slots (
  slot smallint PRIMARY KEY,
  process_id uuid,
  moving_to uuid
);
INSERT INTO slots (slot) SELECT generate_series(0, 255);

-- What the API asks of a lane's owner; found by its one poll a second (design rule 12).
CREATE TABLE commands (
  slot smallint NOT NULL,
  command_id uuid NOT NULL,
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (slot, command_id)
);

-- What is still to be erased after a tombstone, in chunks, and once more a lease later (design rule 21).
CREATE TABLE erasures (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  requested_at timestamptz NOT NULL,
  swept_at timestamptz,
  PRIMARY KEY (app_id, endpoint_id)
);

-- Payloads go out of line uncompressed: compressing on the publisher's path costs more than the bytes.
ALTER TABLE events ALTER COLUMN data SET STORAGE EXTERNAL;
