-- What sources of kind fetch remember of the items they have fetched, and a log of their runs.

-- Runs in a row that failed, and that found nothing: they set the pace.
ALTER TABLE sources ADD COLUMN failed_runs integer NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN idle_runs integer NOT NULL DEFAULT 0;
-- The user has looked: the next run may tell of as many deletions as it finds.
ALTER TABLE sources ADD COLUMN allow_deletions boolean NOT NULL DEFAULT false;

-- version: a digest of what an item is compared by. missed: in how many whole answers in a row it was missing. Written in the transaction that
-- appends the events of the items (design rule 7).
CREATE TABLE fetched_items (
  app_id uuid NOT NULL,
  source_id uuid NOT NULL,
  item_key text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  missed smallint NOT NULL DEFAULT 0,
  seen_at timestamptz NOT NULL,
  CONSTRAINT fetched_items_pkey PRIMARY KEY (app_id, source_id, item_key)
);

-- cause null: the run came to its end. The newest of each source are kept.
CREATE TABLE fetch_runs (
  app_id uuid NOT NULL,
  source_id uuid NOT NULL,
  run_id uuid NOT NULL,
  started_at timestamptz NOT NULL,
  duration_ms integer NOT NULL,
  outcome text NOT NULL CONSTRAINT fetch_runs_outcome CHECK (outcome IN ('changed', 'unchanged', 'failed')),
  cause text,
  detail text,
  status smallint,
  pages integer NOT NULL,
  items integer NOT NULL,
  bytes bigint NOT NULL,
  created integer NOT NULL,
  updated integer NOT NULL,
  deleted integer NOT NULL,
  CONSTRAINT fetch_runs_pkey PRIMARY KEY (app_id, source_id, run_id)
);
