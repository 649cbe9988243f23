-- A rejected proposal would be open again: it is history, so then there is no way back.
DO $$
BEGIN
    IF EXISTS (SELECT FROM adjustments WHERE rejected_by IS NOT NULL) THEN
        RAISE EXCEPTION 'adjustments have been rejected';
    END IF;
END
$$;
DROP TRIGGER adjustments_are_decided_once ON adjustments;
CREATE OR REPLACE FUNCTION adjustments_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM users WHERE id IN (NEW.proposed_by, NEW.approved_by) AND role <> 'ops') THEN
        RAISE EXCEPTION 'only ops propose and approve adjustments'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
ALTER TABLE adjustments DROP COLUMN rejected_by, DROP COLUMN rejected_at, DROP COLUMN rejection_reason;
CREATE TRIGGER adjustments_are_approved_once BEFORE UPDATE ON adjustments FOR EACH ROW
    WHEN (OLD.approved_by IS NOT NULL
          OR (NEW.id, NEW.account_id, NEW.direction, NEW.amount, NEW.currency, NEW.reason, NEW.proposed_by,
              NEW.created_at)
             IS DISTINCT FROM
             (OLD.id, OLD.account_id, OLD.direction, OLD.amount, OLD.currency, OLD.reason, OLD.proposed_by,
              OLD.created_at))
    EXECUTE FUNCTION refuse_change();

-- A quote keeps the offer that was used, or the exchange's, or else the transfer's.
DROP TRIGGER quotes_are_used_once ON quotes;
ALTER TABLE quotes ADD COLUMN type text;
UPDATE quotes q SET type = coalesce(
    (SELECT p.type FROM payments p WHERE p.id = q.payment_id),
    CASE WHEN q.source_amount IS NULL THEN 'transfer' ELSE 'exchange' END);
UPDATE quotes q
SET source_amount = transfer_source_amount, target_amount = transfer_target_amount, commission = transfer_commission
WHERE q.source_amount IS NULL OR EXISTS (
    SELECT FROM payments p JOIN accounts s ON s.id = p.source_id JOIN accounts t ON t.id = p.target_id
    WHERE p.id = q.payment_id AND s.owner_id <> t.owner_id);
ALTER TABLE quotes
    DROP COLUMN transfer_source_amount, DROP COLUMN transfer_target_amount, DROP COLUMN transfer_commission,
    ALTER COLUMN source_amount SET NOT NULL,
    ALTER COLUMN target_amount SET NOT NULL,
    ALTER COLUMN commission SET NOT NULL,
    ALTER COLUMN type SET NOT NULL,
    ADD CONSTRAINT quotes_type_is_known CHECK (type IN ('exchange', 'transfer'));
CREATE TRIGGER quotes_are_used_once BEFORE UPDATE ON quotes FOR EACH ROW
    WHEN (OLD.payment_id IS NOT NULL
          OR (NEW.id, NEW.type, NEW.user_id, NEW.source_currency, NEW.target_currency, NEW.source_amount,
              NEW.target_amount, NEW.rate, NEW.commission, NEW.created_at, NEW.expires_at)
             IS DISTINCT FROM
             (OLD.id, OLD.type, OLD.user_id, OLD.source_currency, OLD.target_currency, OLD.source_amount,
              OLD.target_amount, OLD.rate, OLD.commission, OLD.created_at, OLD.expires_at))
    EXECUTE FUNCTION refuse_change();
COMMENT ON COLUMN quotes.type IS 'of the payment that may use it';
COMMENT ON COLUMN quotes.source_amount IS NULL;
GRANT INSERT (type) ON quotes TO payments_gateway;
DROP TABLE blocked_merchants, charge_limits;
DROP FUNCTION accounts_tell_whether_they_are_limited;
DROP INDEX payments_scheduled_by_source;
ALTER TABLE accounts DROP COLUMN is_limited;
