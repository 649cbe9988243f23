-- A quote is good for either use, between wallets of one owner or to another's: it freezes the terms of both.
DROP TRIGGER quotes_are_used_once ON quotes;
ALTER TABLE quotes
    ALTER COLUMN source_amount DROP NOT NULL,
    ALTER COLUMN target_amount DROP NOT NULL,
    ALTER COLUMN commission DROP NOT NULL,
    ADD COLUMN transfer_source_amount  numeric(38,0),
    ADD COLUMN transfer_target_amount  numeric(38,0),
    ADD COLUMN transfer_commission     numeric(38,0);
UPDATE quotes
SET transfer_source_amount = source_amount, transfer_target_amount = target_amount, transfer_commission = commission,
    source_amount = NULL, target_amount = NULL, commission = NULL
WHERE type = 'transfer';
ALTER TABLE quotes
    DROP CONSTRAINT quotes_type_is_known,
    DROP COLUMN type,
    ADD CONSTRAINT quotes_offer_wholly
        CHECK (num_nonnulls(source_amount, target_amount, commission) IN (0, 3)
               AND num_nonnulls(transfer_source_amount, transfer_target_amount, transfer_commission) IN (0, 3)),
    ADD CONSTRAINT quotes_offer_something
        CHECK (source_amount IS NOT NULL OR transfer_source_amount IS NOT NULL),
    ADD CONSTRAINT quotes_transfer_amounts_are_positive
        CHECK (transfer_source_amount > 0 AND transfer_source_amount < 1e38
               AND transfer_target_amount > 0 AND transfer_target_amount < 1e38),
    ADD CONSTRAINT quotes_transfer_commission_is_within_amount
        CHECK (transfer_commission >= 0 AND transfer_commission < transfer_source_amount);
COMMENT ON COLUMN quotes.source_amount IS 'between wallets of one owner; null: it is good for no exchange';
COMMENT ON COLUMN quotes.transfer_source_amount IS 'to a wallet of another owner; null: it is good for no such transfer';

CREATE TRIGGER quotes_are_used_once BEFORE UPDATE ON quotes FOR EACH ROW
    WHEN (OLD.payment_id IS NOT NULL
          OR (NEW.id, NEW.user_id, NEW.source_currency, NEW.target_currency, NEW.source_amount, NEW.target_amount,
              NEW.commission, NEW.transfer_source_amount, NEW.transfer_target_amount, NEW.transfer_commission,
              NEW.rate, NEW.created_at, NEW.expires_at)
             IS DISTINCT FROM
             (OLD.id, OLD.user_id, OLD.source_currency, OLD.target_currency, OLD.source_amount, OLD.target_amount,
              OLD.commission, OLD.transfer_source_amount, OLD.transfer_target_amount, OLD.transfer_commission,
              OLD.rate, OLD.created_at, OLD.expires_at))
    EXECUTE FUNCTION refuse_change();

GRANT INSERT (transfer_source_amount, transfer_target_amount, transfer_commission) ON quotes TO payments_gateway;
