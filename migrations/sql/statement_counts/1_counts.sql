-- Lines of bank statements, counted by verdict and day: a list of statements of 50,000 lines each reads a few rows of each.

CREATE TABLE bank_statement_counts (
    statement_id  uuid NOT NULL REFERENCES bank_statements,
    verdict       text NOT NULL,
    dated_on      date NOT NULL,
    lines         integer NOT NULL,
    PRIMARY KEY (statement_id, verdict, dated_on),
    CONSTRAINT bank_statement_counts_are_not_negative CHECK (lines >= 0)
);
COMMENT ON TABLE bank_statement_counts IS 'lines of each statement by verdict and day, counted by triggers alone';
COMMENT ON COLUMN bank_statement_counts.verdict IS 'as it is now, after what people found: also dismissed';
COMMENT ON COLUMN bank_statement_counts.dated_on IS 'the day from which the age of an exception counts';

CREATE FUNCTION bank_statement_line_verdict(verdict text, matched_at timestamptz, dismissed_at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN matched_at IS NOT NULL THEN 'matched' WHEN dismissed_at IS NOT NULL THEN 'dismissed'
                ELSE verdict END
$$;

INSERT INTO bank_statement_counts (statement_id, verdict, dated_on, lines)
SELECT statement_id, bank_statement_line_verdict(verdict, matched_at, dismissed_at), coalesce(value_date, booked_on),
       count(*)
FROM bank_statement_lines GROUP BY 1, 2, 3;

-- Counts change in the order of their key, so that two people who match lines of one statement never deadlock.
CREATE FUNCTION bank_statement_lines_are_counted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    change record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO bank_statement_counts AS total (statement_id, verdict, dated_on, lines)
        SELECT statement_id, bank_statement_line_verdict(verdict, matched_at, dismissed_at),
               coalesce(value_date, booked_on), count(*)
        FROM new_lines GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (statement_id, verdict, dated_on) DO UPDATE SET lines = total.lines + excluded.lines;
        RETURN NULL;
    END IF;
    FOR change IN
        SELECT statement_id, verdict, dated_on, sum(step)::integer AS lines
        FROM (SELECT statement_id, bank_statement_line_verdict(verdict, matched_at, dismissed_at) AS verdict,
                     coalesce(value_date, booked_on) AS dated_on, 1 AS step FROM new_lines
              UNION ALL
              SELECT statement_id, bank_statement_line_verdict(verdict, matched_at, dismissed_at),
                     coalesce(value_date, booked_on), -1 FROM old_lines) AS moved
        GROUP BY 1, 2, 3 HAVING sum(step) <> 0 ORDER BY 1, 2, 3
    LOOP
        UPDATE bank_statement_counts SET lines = bank_statement_counts.lines + change.lines
        WHERE statement_id = change.statement_id AND verdict = change.verdict AND dated_on = change.dated_on;
        IF NOT FOUND THEN
            INSERT INTO bank_statement_counts AS total (statement_id, verdict, dated_on, lines)
            VALUES (change.statement_id, change.verdict, change.dated_on, change.lines)
            ON CONFLICT (statement_id, verdict, dated_on) DO UPDATE SET lines = total.lines + excluded.lines;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER bank_statement_lines_are_counted_when_stored AFTER INSERT ON bank_statement_lines
    REFERENCING NEW TABLE AS new_lines FOR EACH STATEMENT EXECUTE FUNCTION bank_statement_lines_are_counted();
CREATE TRIGGER bank_statement_lines_are_counted_when_changed AFTER UPDATE ON bank_statement_lines
    REFERENCING OLD TABLE AS old_lines NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION bank_statement_lines_are_counted();

-- No role changes a count directly, not even the owner.
CREATE TRIGGER bank_statement_counts_follow_lines BEFORE INSERT OR UPDATE ON bank_statement_counts
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_statement_counts_are_never_deleted BEFORE DELETE ON bank_statement_counts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER bank_statement_counts_are_never_truncated BEFORE TRUNCATE ON bank_statement_counts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A payment whose booking was put aside as something else is looked for in the next statements.
CREATE INDEX bank_statement_lines_mismatched_put_aside ON bank_statement_lines (booked_on)
    WHERE verdict = 'mismatched' AND dismissed_at IS NOT NULL;

REVOKE ALL ON bank_statement_counts FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION bank_statement_lines_are_counted, bank_statement_line_verdict FROM PUBLIC;
GRANT SELECT ON bank_statement_counts TO payments_worker, payments_gateway;
