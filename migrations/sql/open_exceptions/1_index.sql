-- Few lines need a person: the index is small, and a line leaves it when it is matched or put aside.
CREATE INDEX bank_statement_lines_open ON bank_statement_lines (booked_on)
    WHERE verdict IN ('mismatched', 'missing_here', 'missing_there') AND matched_by IS NULL AND dismissed_at IS NULL;
