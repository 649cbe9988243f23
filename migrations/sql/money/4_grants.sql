REVOKE ALL ON FUNCTION payments_wait_for_their_time, payments_orders_are_immutable FROM PUBLIC;
GRANT INSERT (capture, scheduled_at, expires_at, parent_id, reason) ON payments TO payments_gateway, payments_worker;
GRANT INSERT (amount) ON commands TO payments_gateway;
GRANT UPDATE (captured_amount, hold_expires_at) ON payments TO payments_worker;
