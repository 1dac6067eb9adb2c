-- The code of endpoints' transformations, by version: the newest is in the endpoint's config as well, where lanes read it. The ones before are
-- for events that wait for a retry of theirs, and for whoever looks at an attempt.
CREATE TABLE transformations (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  version integer NOT NULL,
  code text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT transformations_pkey PRIMARY KEY (app_id, endpoint_id, version)
);

-- The version that an attempt ran; null without a transformation. A retry runs that of the first attempt.
ALTER TABLE attempts ADD COLUMN transformation_version integer;
ALTER TABLE retries ADD COLUMN transformation_version integer;
