-- A worker goes on by its own clock where no message reaches it: both are seen.
ALTER TABLE worker_heartbeats ADD COLUMN heard_at timestamptz;
COMMENT ON COLUMN worker_heartbeats.heard_at IS 'when a message last reached it; null: never';

-- GET /status says how far the webhooks have come.
GRANT SELECT ON event_positions TO payments_gateway;
