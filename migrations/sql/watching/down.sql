ALTER TABLE worker_heartbeats DROP COLUMN heard_at;
REVOKE SELECT ON event_positions FROM payments_gateway;
