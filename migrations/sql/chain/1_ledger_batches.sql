-- Operations are chained by hash, a row for each posted batch: docs/receipts.md has the texts that are hashed.
CREATE FUNCTION ledger_batch_hash(number bigint, previous_hash bytea, posted_at timestamptz, root bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT sha256('batch '::bytea || int8send(number) || previous_hash || timestamptz_send(posted_at) || root)
$$;
COMMENT ON FUNCTION ledger_batch_hash IS
    'SHA-256 of "batch ", number, previous hash, microseconds from 2000-01-01 to posted_at, root; numbers of 8 bytes';

CREATE TABLE ledger_batches (
    number         bigint PRIMARY KEY,
    previous_hash  bytea NOT NULL,
    posted_at      timestamptz NOT NULL DEFAULT now(),
    payments       uuid[] NOT NULL,
    salts          bytea NOT NULL,
    marks          bytea NOT NULL,
    root           bytea NOT NULL,
    hash           bytea NOT NULL GENERATED ALWAYS AS (ledger_batch_hash(number, previous_hash, posted_at, root)) STORED,
    CONSTRAINT ledger_batches_hashes_are_sha256 CHECK (length(previous_hash) = 32 AND length(root) = 32),
    CONSTRAINT ledger_batches_salts_are_whole CHECK (length(salts) % 16 = 0),
    CONSTRAINT ledger_batches_marks_are_one_a_payment CHECK (length(marks) = 4 * cardinality(payments))
);
-- Neither ids nor what is random gets smaller by compression.
ALTER TABLE ledger_batches
    ALTER COLUMN payments SET STORAGE EXTERNAL,
    ALTER COLUMN salts SET STORAGE EXTERNAL,
    ALTER COLUMN marks SET STORAGE EXTERNAL;
CREATE INDEX ledger_batches_by_time ON ledger_batches (posted_at);
COMMENT ON TABLE ledger_batches IS 'posted batches that have operations, chained by hash; number 0 is what was before';
COMMENT ON COLUMN ledger_batches.posted_at IS 'also created_at of the operations';
COMMENT ON COLUMN ledger_batches.payments IS 'in the order in which they are hashed';
COMMENT ON COLUMN ledger_batches.salts IS '16 bytes for each operation, in their order: a hash reveals nothing without';
COMMENT ON COLUMN ledger_batches.marks IS 'first 4 bytes of each payment''s hash: they name the one that was changed';
COMMENT ON COLUMN ledger_batches.root IS 'of the tree of hashes over the payments';

-- Posting is serial, so the newest batch is the one before.
CREATE FUNCTION ledger_batches_follow_each_other() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.number - 1, NEW.previous_hash) IS DISTINCT FROM
       (SELECT (number, hash) FROM ledger_batches ORDER BY number DESC LIMIT 1) THEN
        RAISE EXCEPTION 'batch % does not follow the newest', NEW.number
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;

-- What was posted before there were batches is hashed once: in pieces of 65 s of ids, so that no text is too long.
CREATE FUNCTION ledger_genesis_root(until timestamptz) RETURNS bytea
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT sha256(coalesce(string_agg(piece, ''::bytea ORDER BY first), ''))
    FROM (
        SELECT left(payment_id::text, 8) AS first,
               sha256(convert_to(string_agg(concat_ws(' ', payment_id, line, account_id, amount, currency, kind,
                                                      balance_after, account_seq,
                                                      (extract(epoch FROM created_at) * 1000000)::bigint),
                                            E'\n' ORDER BY payment_id, line), 'UTF8')) AS piece
        FROM operations WHERE created_at <= until GROUP BY 1) pieces
$$;
COMMENT ON FUNCTION ledger_genesis_root IS 'root of batch 0: a hash over all operations of before';

-- No poster is at work meanwhile, so that none of its operations are between 0 and 1.
LOCK TABLE operations IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO ledger_batches (number, previous_hash, posted_at, payments, salts, marks, root)
SELECT 0, decode(repeat('00', 32), 'hex'), moment, '{}', '', '', ledger_genesis_root(moment) FROM clock_timestamp() AS moment;

CREATE TRIGGER ledger_batches_follow_each_other BEFORE INSERT ON ledger_batches
    FOR EACH ROW EXECUTE FUNCTION ledger_batches_follow_each_other();
CREATE TRIGGER ledger_batches_are_append_only BEFORE UPDATE OR DELETE ON ledger_batches
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_batches_are_never_truncated BEFORE TRUNCATE ON ledger_batches
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON ledger_batches FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION ledger_batch_hash, ledger_batches_follow_each_other, ledger_genesis_root FROM PUBLIC;
GRANT SELECT ON ledger_batches TO payments_worker, payments_gateway;
GRANT INSERT (number, previous_hash, payments, salts, marks, root) ON ledger_batches TO payments_worker;
GRANT EXECUTE ON FUNCTION ledger_batch_hash, ledger_genesis_root TO payments_worker;
