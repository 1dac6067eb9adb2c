-- What an endpoint is called with beside the signature: a password, a token, a client's secret or key. Sealed as endpoint_secrets are, and
-- never read but to send. credential_id is another with every change, so that what was made of the one before is not taken for its own.
CREATE TABLE endpoint_credentials (
  app_id uuid NOT NULL,
  endpoint_id uuid NOT NULL,
  credential_id uuid NOT NULL,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT endpoint_credentials_pkey PRIMARY KEY (app_id, endpoint_id)
);
