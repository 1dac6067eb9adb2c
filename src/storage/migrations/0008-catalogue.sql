-- The catalogue of event types: schemas in versions, examples, and how processes learn of a change.

-- Raised by every change of the catalogue, whose row it locks: changes go one after another. Processes look at it once a second.
ALTER TABLE instance ADD COLUMN catalogue_version bigint NOT NULL DEFAULT 0;

-- json rather than jsonb, as documents made of it are to have their members in the order they were given in.
-- version: of the schema, the last that the type had. bytes: of schema and examples. changed_version: the catalogue's when the row was changed.
ALTER TABLE event_types DROP COLUMN example;
ALTER TABLE event_types ALTER COLUMN schema TYPE json USING schema::json;
ALTER TABLE event_types
  ADD COLUMN examples json NOT NULL DEFAULT '[]',
  ADD COLUMN version integer NOT NULL DEFAULT 0,
  ADD COLUMN deprecated boolean NOT NULL DEFAULT false,
  ADD COLUMN bytes integer NOT NULL DEFAULT 0,
  ADD COLUMN changed_version bigint NOT NULL DEFAULT 0;

-- What becomes of data that does not fit, in place of what its type says. validation_version: the catalogue's when it was changed, so that
-- processes read what has changed and not all.
ALTER TABLE apps
  ADD COLUMN validation text CONSTRAINT apps_validation CHECK (validation IN ('off', 'warn', 'reject')),
  ADD COLUMN validation_version bigint NOT NULL DEFAULT 0;
CREATE INDEX apps_validation_version ON apps (validation_version) WHERE validation_version > 0;

CREATE TABLE event_type_versions (
  type text COLLATE "C" NOT NULL,
  version integer NOT NULL,
  schema json NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT event_type_versions_pkey PRIMARY KEY (type, version)
);
