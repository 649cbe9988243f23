-- A checkpoint is a signature over the hashes of some batches: what it covers cannot be rebuilt unseen.
CREATE TABLE receipt_keys (
    id          text PRIMARY KEY,
    public_key  bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT receipt_keys_are_ed25519 CHECK (length(public_key) = 32),
    CONSTRAINT receipt_keys_have_their_id CHECK (id = left(encode(sha256(public_key), 'hex'), 16))
);
COMMENT ON TABLE receipt_keys IS 'public keys of those that have signed checkpoints';

CREATE TABLE checkpoints (
    number         bigint PRIMARY KEY,
    first_batch    bigint NOT NULL,
    last_batch     bigint NOT NULL REFERENCES ledger_batches,
    root           bytea NOT NULL,
    previous_hash  bytea NOT NULL,
    signed_at      timestamptz NOT NULL,
    key_id         text NOT NULL REFERENCES receipt_keys,
    hash           bytea NOT NULL,
    signature      bytea NOT NULL,
    CONSTRAINT checkpoints_cover_some_batches CHECK (last_batch BETWEEN first_batch AND first_batch + 4095),
    CONSTRAINT checkpoints_hashes_are_sha256 CHECK (length(root) = 32 AND length(previous_hash) = 32 AND length(hash) = 32),
    CONSTRAINT checkpoints_signatures_are_ed25519 CHECK (length(signature) = 64)
);
CREATE UNIQUE INDEX checkpoints_by_last_batch ON checkpoints (last_batch);
COMMENT ON COLUMN checkpoints.root IS 'of the tree over the hashes of these batches';
COMMENT ON COLUMN checkpoints.hash IS 'SHA-256 of the text that is signed';

CREATE FUNCTION checkpoints_follow_each_other() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.number, NEW.first_batch, NEW.previous_hash) IS DISTINCT FROM coalesce(
        (SELECT (number + 1, last_batch + 1, hash) FROM checkpoints ORDER BY number DESC LIMIT 1),
        (1::bigint, 0::bigint, decode(repeat('00', 32), 'hex'))) THEN
        RAISE EXCEPTION 'checkpoint % does not follow the newest', NEW.number
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER checkpoints_follow_each_other BEFORE INSERT ON checkpoints
    FOR EACH ROW EXECUTE FUNCTION checkpoints_follow_each_other();
CREATE TRIGGER checkpoints_are_append_only BEFORE UPDATE OR DELETE ON checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoints_are_never_truncated BEFORE TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER receipt_keys_are_append_only BEFORE UPDATE OR DELETE ON receipt_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER receipt_keys_are_never_truncated BEFORE TRUNCATE ON receipt_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON receipt_keys, checkpoints FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION checkpoints_follow_each_other FROM PUBLIC;
GRANT SELECT ON receipt_keys, checkpoints TO payments_worker, payments_gateway;
GRANT INSERT (id, public_key) ON receipt_keys TO payments_worker;
GRANT INSERT (number, first_batch, last_batch, root, previous_hash, signed_at, key_id, hash, signature)
    ON checkpoints TO payments_worker;
