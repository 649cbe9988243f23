-- For how long the oldest due payment had waited, by the minute: the most that was seen. Kept for some days.
CREATE TABLE backlog_samples (
    minute              timestamptz PRIMARY KEY,
    waiting             integer NOT NULL,
    oldest_due_seconds  double precision NOT NULL,
    CONSTRAINT backlog_samples_are_of_minutes CHECK (minute = date_trunc('minute', minute, 'UTC')),
    CONSTRAINT backlog_samples_are_not_negative
        CHECK (waiting >= 0 AND oldest_due_seconds >= 0 AND oldest_due_seconds < 'infinity')
);
REVOKE ALL ON backlog_samples FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON backlog_samples TO payments_worker, payments_gateway;
GRANT INSERT (minute, waiting, oldest_due_seconds), UPDATE (waiting, oldest_due_seconds), DELETE
    ON backlog_samples TO payments_worker;
