-- The key under which a payment was accepted, by the payment. Rows are only appended, and the ids of payments begin with
-- their time, so an index of block ranges finds it, and costs an acceptance next to nothing. Keys of later requests,
-- which name payments of any time, are marked and left out.
ALTER TABLE idempotency_keys
    ADD COLUMN is_action boolean,
    ADD CONSTRAINT idempotency_keys_actions_are_on_payments CHECK (is_action IS NULL OR is_action AND payment_id IS NOT NULL);
COMMENT ON COLUMN idempotency_keys.is_action IS 'true: of a request that acted on the payment; null: of the one that created something';

-- Of the keys that name a payment the first one created it.
ALTER TABLE idempotency_keys DISABLE TRIGGER idempotency_keys_are_append_only;
UPDATE idempotency_keys k SET is_action = true
FROM (
    SELECT ctid AS place, row_number() OVER (PARTITION BY payment_id ORDER BY age(xmin) DESC, ctid) AS number
    FROM idempotency_keys
    WHERE payment_id IN (SELECT payment_id FROM commands WHERE kind IN ('capture', 'void', 'cancel') AND NOT is_by_ops)
) AS of_payment
WHERE k.ctid = of_payment.place AND of_payment.number > 1;
ALTER TABLE idempotency_keys ENABLE TRIGGER idempotency_keys_are_append_only;

CREATE INDEX idempotency_keys_by_payment ON idempotency_keys USING brin (payment_id) WITH (autosummarize = on)
    WHERE payment_id IS NOT NULL AND is_action IS NULL;
GRANT INSERT (is_action) ON idempotency_keys TO payments_gateway;
