DROP INDEX audit_log_notes_once;
DROP TABLE backlog_samples, assignments;
DROP FUNCTION assignments_are_of_ops;
