-- Files that a rail wrote for its bank, and those of the bank that it read. What is in them stays with the rail.
CREATE TABLE rail_files (
    id         uuid PRIMARY KEY,
    rail       text NOT NULL,
    state  text NOT NULL,
    name       text NOT NULL,
    items      integer,
    noted_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rail_files_state_is_known CHECK (state IN ('written', 'read', 'broken')),
    CONSTRAINT rail_files_are_named
        CHECK (length(rail) BETWEEN 1 AND 50 AND length(name) BETWEEN 1 AND 100),
    CONSTRAINT rail_files_items_are_counted_unless_broken
        CHECK ((items IS NULL) = (state = 'broken') AND items BETWEEN 0 AND 1000000),
    CONSTRAINT rail_files_once UNIQUE (rail, state, name)
);
CREATE INDEX rail_files_by_rail ON rail_files (rail, id);
COMMENT ON COLUMN rail_files.state IS 'written for the bank, read of what it sent, or broken: set aside unread';
COMMENT ON COLUMN rail_files.items IS 'payouts in a file that was written; answers and returns in one that was read';

CREATE TRIGGER rail_files_are_append_only BEFORE UPDATE OR DELETE ON rail_files
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rail_files_are_never_truncated BEFORE TRUNCATE ON rail_files
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON rail_files FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON rail_files TO payments_worker, payments_gateway;
GRANT INSERT (id, rail, state, name, items) ON rail_files TO payments_worker;
