-- Until when a secret that was replaced is still good; null = until it is replaced.
ALTER TABLE source_secrets ADD COLUMN expires_at timestamptz;

-- What was wrong with a request, finer than its cause: `no_match`, `timestamp_too_old`.
ALTER TABLE source_requests ADD COLUMN reason text;
