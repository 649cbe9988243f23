-- A note about a payment is an entry of the audit log; the same words of the same person are written once.
CREATE UNIQUE INDEX audit_log_notes_once ON audit_log (target, actor, md5(reason)) WHERE action = 'payments.note';
