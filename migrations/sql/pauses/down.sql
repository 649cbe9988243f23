-- Payments set aside are due again, as they were: nothing pauses them any more.
UPDATE payments p SET due_at = q.due_at FROM paused_payments q
WHERE p.id = q.payment_id AND p.state = 'INITIATED' AND p.due_at = coalesce(p.expires_at, 'infinity');
DROP TABLE paused_payments, pauses;
DROP FUNCTION pauses_are_of_ops;
