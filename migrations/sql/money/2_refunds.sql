-- A refund is a payment of its own that names the charge it gives back.

ALTER TABLE payments
    ADD COLUMN parent_id  uuid,
    ADD COLUMN reason     text,
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known CHECK (type IN ('deposit', 'transfer', 'charge', 'bonus', 'refund')),
    ADD CONSTRAINT payments_refunds_name_their_charge CHECK ((parent_id IS NOT NULL) = (type = 'refund')),
    ADD CONSTRAINT payments_reason_is_known CHECK (reason IN ('duplicate', 'fraudulent', 'requested_by_customer'));
CREATE INDEX payments_by_parent ON payments (parent_id, id) WHERE parent_id IS NOT NULL;
