-- An endpoint may ask for the events of some types of payments alone. Null, the default, is all of them.
ALTER TABLE webhook_endpoints
    ADD COLUMN payment_types text[],
    ADD CONSTRAINT webhook_endpoints_payment_types_are_known
        CHECK (cardinality(payment_types) BETWEEN 1 AND 20
               AND payment_types <@ ARRAY['deposit', 'withdrawal', 'transfer', 'charge', 'bonus', 'refund', 'exchange',
                                          'adjustment', 'return']);
COMMENT ON COLUMN webhook_endpoints.payment_types IS 'of the payments whose events it gets; null: of all';

GRANT INSERT (payment_types), UPDATE (payment_types) ON webhook_endpoints TO payments_gateway;
