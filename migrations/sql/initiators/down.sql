DROP INDEX payments_by_initiator;
CREATE INDEX IF NOT EXISTS payments_by_user ON payments (user_id, id);
COMMENT ON INDEX payments_by_user IS NULL;
DROP FUNCTION drop_superseded_indexes, supersede_index;
