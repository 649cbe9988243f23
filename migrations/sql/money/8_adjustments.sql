-- An adjustment takes two ops users: one proposes it, another approves it and thereby orders the payment.

CREATE TABLE adjustments (
    id               uuid PRIMARY KEY,
    account_id       uuid NOT NULL REFERENCES accounts,
    direction        text NOT NULL,
    amount           numeric(38,0) NOT NULL,
    currency         text NOT NULL REFERENCES currencies,
    reason           text NOT NULL,
    proposed_by      uuid NOT NULL REFERENCES users,
    created_at       timestamptz NOT NULL DEFAULT now(),
    approved_by      uuid REFERENCES users,
    approved_at      timestamptz,
    approval_reason  text,
    payment_id       uuid,
    CONSTRAINT adjustments_direction_is_known CHECK (direction IN ('credit', 'debit')),
    CONSTRAINT adjustments_amount_is_positive CHECK (amount > 0 AND amount < 1e38),
    CONSTRAINT adjustments_reasons_are_bounded
        CHECK (length(reason) BETWEEN 1 AND 500 AND length(approval_reason) BETWEEN 1 AND 500),
    CONSTRAINT adjustments_take_two_people CHECK (approved_by <> proposed_by),
    CONSTRAINT adjustments_are_approved_wholly
        CHECK (num_nonnulls(approved_by, approved_at, payment_id) IN (0, 3)
               AND (approval_reason IS NULL OR approved_by IS NOT NULL)),
    CONSTRAINT adjustments_one_a_payment UNIQUE (payment_id)
);
COMMENT ON COLUMN adjustments.direction IS 'credit: from internal to the account; debit: back';
COMMENT ON COLUMN adjustments.payment_id IS 'the payment that the approval ordered';

CREATE TRIGGER adjustments_are_approved_once BEFORE UPDATE ON adjustments FOR EACH ROW
    WHEN (OLD.approved_by IS NOT NULL
          OR (NEW.id, NEW.account_id, NEW.direction, NEW.amount, NEW.currency, NEW.reason, NEW.proposed_by,
              NEW.created_at)
             IS DISTINCT FROM
             (OLD.id, OLD.account_id, OLD.direction, OLD.amount, OLD.currency, OLD.reason, OLD.proposed_by,
              OLD.created_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER adjustments_are_never_deleted BEFORE DELETE ON adjustments
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER adjustments_are_never_truncated BEFORE TRUNCATE ON adjustments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION adjustments_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM users WHERE id IN (NEW.proposed_by, NEW.approved_by) AND role <> 'ops') THEN
        RAISE EXCEPTION 'only ops propose and approve adjustments'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER adjustments_are_of_ops BEFORE INSERT OR UPDATE ON adjustments
    FOR EACH ROW EXECUTE FUNCTION adjustments_are_of_ops();

ALTER TABLE idempotency_keys
    ADD COLUMN adjustment_id uuid,
    DROP CONSTRAINT idempotency_keys_name_one_thing,
    ADD CONSTRAINT idempotency_keys_name_one_thing
        CHECK (num_nonnulls(payment_id, account_id, adjustment_id, signed_up) = 1);

ALTER TABLE payments
    DROP CONSTRAINT payments_type_is_known,
    ADD CONSTRAINT payments_type_is_known
        CHECK (type IN ('deposit', 'withdrawal', 'transfer', 'charge', 'bonus', 'refund', 'exchange', 'adjustment'));

REVOKE ALL ON adjustments FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION adjustments_are_of_ops FROM PUBLIC;
GRANT SELECT ON adjustments TO payments_worker, payments_gateway;
GRANT INSERT (id, account_id, direction, amount, currency, reason, proposed_by),
      UPDATE (approved_by, approved_at, approval_reason, payment_id)
    ON adjustments TO payments_gateway;
GRANT INSERT (adjustment_id) ON idempotency_keys TO payments_gateway;
