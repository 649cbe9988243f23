DROP TABLE audit_log, worker_heartbeats, payment_events, payment_references, idempotency_keys,
    operations, payments, accounts, currencies, tokens, users CASCADE;
DROP FUNCTION ensure_partitions, make_partition, uuid_floor, currencies_digits_are_fixed,
    currencies_open_technical_accounts, payments_tell_changes, payments_tell_initiated,
    payments_move_along_edges, operations_sum_to_zero, refuse_change;
-- The roles serve the whole server, perhaps other databases too: what they may do here goes, they stay.
REVOKE ALL ON SCHEMA public FROM payments_worker, payments_gateway;
