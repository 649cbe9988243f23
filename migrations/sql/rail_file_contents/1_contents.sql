-- What is in the files of a rail: the gateway shows them to ops, and has no folder of the rails worker.
CREATE TABLE rail_file_contents (
    file_id    uuid PRIMARY KEY REFERENCES rail_files,
    content    bytea NOT NULL,
    hash       bytea NOT NULL,
    CONSTRAINT rail_file_contents_are_bounded CHECK (octet_length(content) <= 8388608),
    CONSTRAINT rail_file_contents_have_their_hash CHECK (hash = sha256(content))
);
COMMENT ON TABLE rail_file_contents IS 'files of rails as they were written or read; those noted before this table, or above 8 MiB, have none';

CREATE TRIGGER rail_file_contents_are_append_only BEFORE UPDATE OR DELETE ON rail_file_contents
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER rail_file_contents_are_never_truncated BEFORE TRUNCATE ON rail_file_contents
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON rail_file_contents FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON rail_file_contents TO payments_worker, payments_gateway;
GRANT INSERT (file_id, content, hash) ON rail_file_contents TO payments_worker;
