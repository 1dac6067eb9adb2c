-- Where events come in from outside: webhooks of third parties, and APIs that are fetched.

-- token_hash: SHA-256 of the token in the source's URL, by which a request finds it; sealed_token shows the URL again. Both null for a source
-- that has no URL. The index is not unique, so that the table can be distributed by app_id: tokens are 128 random bits.
-- slot: whose process fetches it. state is what a fetch remembers from run to run; whoever advances it compares state_version, and its events
-- are appended in the same transaction (design rule 7). next_run_at null: nothing is to be fetched.
CREATE TABLE sources (
  app_id uuid NOT NULL,
  source_id uuid NOT NULL,
  uid text COLLATE "C",
  kind text NOT NULL CONSTRAINT sources_kind CHECK (kind IN ('webhook', 'fetch')),
  config jsonb NOT NULL,
  token_hash bytea,
  sealed_token bytea,
  slot smallint NOT NULL,
  state jsonb NOT NULL DEFAULT '{}',
  state_version bigint NOT NULL DEFAULT 0,
  next_run_at timestamptz,
  paused_at timestamptz,
  disabled_at timestamptz,
  disabled_reason text,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT sources_pkey PRIMARY KEY (app_id, source_id)
);
CREATE UNIQUE INDEX sources_uid ON sources (app_id, uid);
CREATE INDEX sources_by_token ON sources (token_hash) WHERE token_hash IS NOT NULL;
CREATE INDEX sources_by_run ON sources (slot, next_run_at) WHERE next_run_at IS NOT NULL;

-- Sealed as those of endpoints are. name: what a secret is for. Several of one name are good at a time.
CREATE TABLE source_secrets (
  app_id uuid NOT NULL,
  source_id uuid NOT NULL,
  secret_id uuid NOT NULL,
  name text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT source_secrets_pkey PRIMARY KEY (app_id, source_id, secret_id)
);

-- Requests that came in and are kept for a while to be looked at: those that were refused, and all of a source that captures. Secrets are
-- taken out before. cause null: it became the event event_id. repeats: how many more like it followed that were only counted.
CREATE TABLE source_requests (
  app_id uuid NOT NULL,
  source_id uuid NOT NULL,
  request_id uuid NOT NULL,
  received_at timestamptz NOT NULL,
  cause text,
  detail text,
  method text NOT NULL,
  path text NOT NULL,
  headers jsonb NOT NULL,
  body bytea NOT NULL,
  body_bytes integer NOT NULL,
  remote_address text NOT NULL,
  status smallint NOT NULL,
  type text,
  event_id text COLLATE "C",
  repeats integer NOT NULL DEFAULT 0,
  CONSTRAINT source_requests_pkey PRIMARY KEY (app_id, source_id, request_id)
);
CREATE INDEX source_requests_by_time ON source_requests (received_at);

-- Of an event that came in from outside: what the request said about its body (JSON), and the body where `data` is not that, so that it can be
-- sent on as it was received. Null for an event that was published.
ALTER TABLE events ADD COLUMN origin bytea;
ALTER TABLE events ALTER COLUMN origin SET STORAGE EXTERNAL;
