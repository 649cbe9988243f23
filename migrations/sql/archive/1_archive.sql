-- Months whose payments and operations are in files, and what the books keep of them. They are archived in their order,
-- and come back in the reverse one: the ids of all that is archived are below those of all that is not.

CREATE TABLE archived_months (
    month        date PRIMARY KEY,
    first_id     uuid NOT NULL,
    next_id      uuid NOT NULL,
    payments     bigint NOT NULL,
    operations   bigint NOT NULL,
    manifest     bytea NOT NULL,
    detached_at  timestamptz NOT NULL DEFAULT now(),
    dropped_at   timestamptz,
    CONSTRAINT archived_months_ids_are_of_their_month CHECK (
        month = date_trunc('month', month::timestamp) AND first_id = uuid_floor(month::timestamp AT TIME ZONE 'UTC')
        AND next_id = uuid_floor((month + interval '1 month') AT TIME ZONE 'UTC')),
    CONSTRAINT archived_months_counts_are_not_negative CHECK (payments >= 0 AND operations >= 0),
    CONSTRAINT archived_months_manifests_have_a_sha256 CHECK (length(manifest) = 32),
    CONSTRAINT archived_months_are_dropped_after_they_are_detached CHECK (dropped_at >= detached_at)
);
COMMENT ON COLUMN archived_months.manifest IS 'SHA-256 of the manifest that names the files';
COMMENT ON COLUMN archived_months.dropped_at IS 'until then its tables are still there, detached';

-- An older month that still has payments comes first.
CREATE FUNCTION archived_months_follow_each_other() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM archived_months WHERE month >= NEW.month)
       OR EXISTS (SELECT FROM payments WHERE id < NEW.next_id) OR EXISTS (SELECT FROM operations WHERE payment_id < NEW.next_id) THEN
        RAISE EXCEPTION 'month % is not the next to be archived, or not detached', NEW.month
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER archived_months_follow_each_other BEFORE INSERT ON archived_months
    FOR EACH ROW EXECUTE FUNCTION archived_months_follow_each_other();
CREATE FUNCTION archived_months_return_newest_first() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM archived_months WHERE month > OLD.month) THEN
        RAISE EXCEPTION 'a month after % is archived', OLD.month
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER archived_months_return_newest_first BEFORE DELETE ON archived_months
    FOR EACH ROW EXECUTE FUNCTION archived_months_return_newest_first();
CREATE TRIGGER archived_months_are_dropped_once BEFORE UPDATE ON archived_months FOR EACH ROW
    WHEN (OLD.dropped_at IS NOT NULL OR NEW.dropped_at IS NULL
          OR (NEW.month, NEW.first_id, NEW.next_id, NEW.payments, NEW.operations, NEW.detached_at)
             IS DISTINCT FROM (OLD.month, OLD.first_id, OLD.next_id, OLD.payments, OLD.operations, OLD.detached_at))
    EXECUTE FUNCTION refuse_change();

-- In place of an account's operations: what each run of consecutive ones came to. A run is of one month (UTC) of posting.
CREATE TABLE archived_runs (
    month           date NOT NULL REFERENCES archived_months ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    account_id      uuid NOT NULL,
    first_seq       bigint NOT NULL,
    last_seq        bigint NOT NULL,
    balance_before  numeric(38,0) NOT NULL,
    balance_after   numeric(38,0) NOT NULL,
    began_at        timestamptz NOT NULL,
    ended_at        timestamptz NOT NULL,
    lines           bigint NOT NULL,
    received        numeric(38,0) NOT NULL,
    paid            numeric(38,0) NOT NULL,
    PRIMARY KEY (account_id, first_seq),
    CONSTRAINT archived_runs_go_forward CHECK (first_seq > 0 AND first_seq <= last_seq AND began_at <= ended_at),
    CONSTRAINT archived_runs_add_up CHECK (
        abs(balance_before) < 1e38 AND abs(balance_after) < 1e38 AND received BETWEEN 0 AND 1e38 AND paid BETWEEN 0 AND 1e38
        AND balance_after - balance_before = received - paid),
    CONSTRAINT archived_runs_lines_are_of_operations CHECK (lines BETWEEN 1 AND last_seq - first_seq + 1)
);
COMMENT ON COLUMN archived_runs.lines IS 'payments: lines of a statement; received and paid are the sums of these';

-- In place of payments: what the sums kept beside them are compared with.
CREATE TABLE archived_sums (
    month      date NOT NULL REFERENCES archived_months ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    kept       text NOT NULL,
    period     timestamptz NOT NULL,
    key        text[] NOT NULL,
    numbers    numeric[] NOT NULL,
    PRIMARY KEY (month, kept, period, key)
);
COMMENT ON COLUMN archived_sums.kept IS 'the table of sums that this is a part of';
COMMENT ON COLUMN archived_sums.period IS 'not before the end of the month: all earlier ones are one';

-- Of batches that other months share with an archived one: the hashes, without which those could be neither verified nor
-- shown to be there by a receipt.
CREATE TABLE archived_hashes (
    payment_id  uuid PRIMARY KEY,
    month       date NOT NULL REFERENCES archived_months ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    operations  integer NOT NULL,
    hash        bytea NOT NULL,
    CONSTRAINT archived_hashes_are_of_operations CHECK (operations > 0),
    CONSTRAINT archived_hashes_are_sha256 CHECK (length(hash) = 32)
);

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['archived_runs', 'archived_sums', 'archived_hashes'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
                       kept || '_are_never_changed', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON %I FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
                        EXECUTE FUNCTION refuse_change()', kept || '_go_with_their_month', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                       kept || '_are_never_truncated', kept);
    END LOOP;
END
$$;
CREATE TRIGGER archived_months_are_never_truncated BEFORE TRUNCATE ON archived_months
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A table that exists, with rows or without, becomes the partition of a month; its indexes and guards may be there.
CREATE FUNCTION attach_partition(parent text, month timestamptz) RETURNS void
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    child text := parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
    next_id uuid := uuid_floor((month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
BEGIN
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   parent, child, uuid_floor(month), next_id);
    EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                   parent || '_are_never_truncated', child);
    IF parent = 'operations' THEN
        -- Dense and without a fork: two operations can never be the same step of one account.
        EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON %I (account_id, account_seq)',
                       child || '_account_seq_is_unique', child);
        EXECUTE format('CREATE OR REPLACE TRIGGER operations_sum_to_zero AFTER INSERT ON %I '
                       'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION operations_sum_to_zero()', child);
    ELSE
        EXECUTE format('CREATE OR REPLACE TRIGGER payments_tell_initiated AFTER INSERT ON %I '
                       'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION payments_tell_initiated()', child);
        EXECUTE format('CREATE OR REPLACE TRIGGER payments_tell_changes AFTER UPDATE ON %I REFERENCING OLD TABLE AS before '
                       'NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION payments_tell_changes()', child);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION make_partition(parent text, month timestamptz) RETURNS boolean
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    child text := parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
BEGIN
    IF to_regclass(child) IS NOT NULL OR EXISTS (SELECT FROM archived_months a
                                                 WHERE a.month >= (make_partition.month AT TIME ZONE 'UTC')::date) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', child, parent);
    PERFORM attach_partition(parent, month);
    RETURN true;
END
$$;

REVOKE ALL ON archived_months, archived_runs, archived_sums, archived_hashes FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION attach_partition, archived_months_follow_each_other, archived_months_return_newest_first FROM PUBLIC;
GRANT SELECT ON archived_months, archived_runs, archived_sums, archived_hashes TO payments_worker, payments_gateway;
