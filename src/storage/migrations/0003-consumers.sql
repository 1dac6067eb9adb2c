-- Named readers, and endpoints whose events are fetched rather than sent.

-- position: everything up to here is committed. A lease hands out the events after it up to leased_position, to one holder at a time; what
-- decides about it is the database's time alone. lease_id is random per lease: whoever names another one is too late.
-- lag_told_through: it was told that the consumer lags, which is not told again until its cursor has come to here.
CREATE TABLE consumers (
  app_id uuid NOT NULL,
  name text COLLATE "C" NOT NULL,
  filter jsonb NOT NULL,
  position bigint NOT NULL,
  day date NOT NULL,
  lease_id uuid,
  leased_until timestamptz,
  leased_position bigint,
  lag_told_through bigint NOT NULL DEFAULT 0,
  committed_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT consumers_pkey PRIMARY KEY (app_id, name),
  CONSTRAINT consumers_lease CHECK ((lease_id IS NULL) = (leased_until IS NULL) AND (lease_id IS NULL) = (leased_position IS NULL))
) WITH (fillfactor = 50);

-- Up to here the endpoint's cursor was moved by whoever fetched its events in mode pull; 0 = never. So that it can be told what became of them.
ALTER TABLE lanes ADD COLUMN pulled_through bigint NOT NULL DEFAULT 0;
-- Where the endpoint's cursor began: nothing before it was ever due.
ALTER TABLE lanes ADD COLUMN start_position bigint NOT NULL DEFAULT 0;
