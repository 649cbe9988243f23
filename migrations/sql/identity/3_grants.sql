REVOKE ALL ON confirmations, login_throttles, commands FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION refuse_gateway, tokens_deposits_are_the_operators FROM PUBLIC;

GRANT SELECT ON confirmations, commands TO payments_worker, payments_gateway;
GRANT SELECT ON audit_log TO payments_gateway;

-- The gateway reads users and tokens, and stores requests about payments.
GRANT INSERT (id, email, role, name, first_name, last_name, phone_number, url, password_hash),
      UPDATE (name, first_name, last_name, phone_number, url, password_hash, email_confirmed_at, is_active)
    ON users TO payments_gateway;
GRANT INSERT (id, user_id, kind, hash, prefix, last4, name, scopes, expires_at, address, user_agent),
      UPDATE (revoked_at, expires_at, replaced_by)
    ON tokens TO payments_gateway;
GRANT INSERT (id, user_id, purpose), UPDATE (used_at) ON confirmations TO payments_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON login_throttles TO payments_gateway;
GRANT INSERT (id, kind, payment_id, user_id, token_id, address, request_id, reason) ON commands TO payments_gateway;
GRANT INSERT (actor, action, target, reason, before, after, token_id, address, request_id)
    ON audit_log TO payments_gateway;
GRANT INSERT (signed_up) ON idempotency_keys TO payments_gateway;
GRANT UPDATE (label, is_active, version) ON accounts TO payments_gateway;

-- The worker sends mail, onboards users and decides commands.
GRANT INSERT (email_confirmed_at, welcomed_at), UPDATE (welcomed_at, is_active) ON users TO payments_worker;
GRANT UPDATE (hash, due_at, attempts, last_error, sent_at, expires_at) ON confirmations TO payments_worker;
GRANT UPDATE (decided_at, outcome) ON commands TO payments_worker;
GRANT INSERT (token_id, address, request_id) ON audit_log TO payments_worker;
GRANT INSERT (name) ON tokens TO payments_worker;
GRANT INSERT (id, token, owner_id, currency, label) ON accounts TO payments_worker;
GRANT INSERT (id, type, user_id, source_id, target_id, amount, currency, summary, reference, metadata)
    ON payments TO payments_worker;
GRANT INSERT (user_id, key, fingerprint, payment_id) ON idempotency_keys TO payments_worker;
GRANT SELECT, DELETE ON login_throttles TO payments_worker;
