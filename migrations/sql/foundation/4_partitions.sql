-- A partition a month. The first 48 bits of a UUIDv7 are its time in milliseconds, so a range of ids is a range of time.

-- Times before 1970 or beyond 48 bits are moved to the nearest end.
CREATE FUNCTION uuid_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT (lpad(to_hex(least(greatest(floor(extract(epoch FROM moment) * 1000), 0), 281474976710655)::bigint),
                 12, '0') || repeat('0', 20))::uuid
$$;
COMMENT ON FUNCTION uuid_floor IS 'the smallest id that could have been made at that moment';

-- A standalone table, then ATTACH: neither blocks concurrent reads and writes.
-- A trigger on the parent does not guard a direct write to a child, so the statement triggers are repeated there;
-- no role has rights on a child.
CREATE FUNCTION make_partition(parent text, month timestamptz) RETURNS boolean
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

-- Called by the worker's upkeep; runs as the owner, and can do nothing but this.
CREATE FUNCTION ensure_partitions() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ensure_partitions', 0));
    FOR step IN -1..3 LOOP
        made := made
            + make_partition('payments', (this_month + step * interval '1 month') AT TIME ZONE 'UTC')::integer
            + make_partition('operations', (this_month + step * interval '1 month') AT TIME ZONE 'UTC')::integer;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION ensure_partitions IS
    'partitions from last month (an id made just before midnight) to three months ahead; returns how many it made';
SELECT ensure_partitions();
