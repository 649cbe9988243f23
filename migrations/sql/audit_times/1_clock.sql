-- An entry has the time at which it is written, as events have, not that at which its transaction began: entries are in
-- the order of their times, but for the moment between the two, and a time of the log is read alone.
ALTER TABLE audit_log ALTER COLUMN created_at SET DEFAULT clock_timestamp();
