ALTER TABLE tokens DROP COLUMN idle_minutes;
