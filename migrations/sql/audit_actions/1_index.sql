-- Ops look for a kind of action, however rare it is: without an index of its own each page reads the whole log. One more
-- insertion for each entry; workers write few, and payments none.
CREATE INDEX audit_log_by_action ON audit_log (action, id);
