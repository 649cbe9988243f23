-- Least privilege by column: a compromised gateway leaves a named order for every movement and cannot write the books.

REVOKE ALL ON users, tokens, currencies, accounts, payments, operations, idempotency_keys, payment_references,
    payment_events, worker_heartbeats, audit_log FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION uuid_floor, make_partition, ensure_partitions, refuse_change, operations_sum_to_zero,
    payments_move_along_edges, payments_tell_initiated, payments_tell_changes,
    currencies_open_technical_accounts, currencies_digits_are_fixed FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO payments_worker, payments_gateway;
GRANT EXECUTE ON FUNCTION uuid_floor TO payments_worker, payments_gateway;

-- Both read; the gateway reads no audit.
GRANT SELECT ON users, tokens, currencies, accounts, payments, operations, idempotency_keys,
    payment_references, payment_events, worker_heartbeats TO payments_worker, payments_gateway;

-- The gateway stores orders: no state, no balance, no operation, no due time.
GRANT INSERT (id, token, owner_id, currency, label) ON accounts TO payments_gateway;
GRANT INSERT (id, type, user_id, source_id, target_id, amount, currency, summary, reference, metadata)
    ON payments TO payments_gateway;
GRANT INSERT (user_id, key, fingerprint, payment_id, account_id) ON idempotency_keys TO payments_gateway;
GRANT INSERT (merchant_id, reference, payment_id) ON payment_references TO payments_gateway;
GRANT UPDATE (last_used_at) ON tokens TO payments_gateway;

-- The worker moves money and does the upkeep.
GRANT UPDATE (balance, held, last_seq) ON accounts TO payments_worker;
GRANT UPDATE (state, commission, due_at, attempts, last_error, parked_at, failure_code, finalized_at)
    ON payments TO payments_worker;
GRANT INSERT (payment_id, line, account_id, amount, currency, kind, balance_after, account_seq)
    ON operations TO payments_worker;
GRANT INSERT, UPDATE ON worker_heartbeats TO payments_worker;
GRANT INSERT (id, email, role, name) ON users TO payments_worker;
GRANT INSERT (id, user_id, hash, prefix, last4, scopes, expires_at) ON tokens TO payments_worker;
GRANT INSERT (actor, action, target, reason, before, after), SELECT ON audit_log TO payments_worker;
GRANT EXECUTE ON FUNCTION ensure_partitions TO payments_worker;
