-- Minutes without use after which a session ends; null: only its expiry ends it. `last_used_at` is to the minute.
ALTER TABLE tokens
    ADD COLUMN idle_minutes integer,
    ADD CONSTRAINT tokens_idle_sessions_end CHECK (
        idle_minutes IS NULL OR kind = 'session' AND idle_minutes BETWEEN 1 AND 1440);
GRANT INSERT (idle_minutes) ON tokens TO payments_gateway;
