-- What is archived must be restored first: without these rows nothing would know of it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM archived_months) THEN
        RAISE EXCEPTION 'months are archived: flask ops restore MONTH first';
    END IF;
END
$$;
CREATE OR REPLACE FUNCTION make_partition(parent text, month timestamptz) RETURNS boolean
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    child text := parent || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
    first_id uuid := uuid_floor(month);
    next_id uuid := uuid_floor((month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
BEGIN
    IF to_regclass(child) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', child, parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, first_id, next_id);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
                   parent || '_are_never_truncated', child);
    IF parent = 'operations' THEN
        -- Dense and without a fork: two operations can never be the same step of one account.
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (account_id, account_seq)', child || '_account_seq_is_unique', child);
        EXECUTE format('CREATE TRIGGER operations_sum_to_zero AFTER INSERT ON %I '
                       'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION operations_sum_to_zero()', child);
    ELSE
        EXECUTE format('CREATE TRIGGER payments_tell_initiated AFTER INSERT ON %I '
                       'REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION payments_tell_initiated()', child);
        EXECUTE format('CREATE TRIGGER payments_tell_changes AFTER UPDATE ON %I REFERENCING OLD TABLE AS before '
                       'NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION payments_tell_changes()', child);
    END IF;
    RETURN true;
END
$$;
DROP TABLE archived_hashes, archived_sums, archived_runs, archived_months;
DROP FUNCTION attach_partition, archived_months_follow_each_other, archived_months_return_newest_first;
