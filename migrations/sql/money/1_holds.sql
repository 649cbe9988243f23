-- Money that is held until captured or released, and payments that wait for their time.

ALTER TABLE payments
    ADD COLUMN capture          boolean NOT NULL DEFAULT true,
    ADD COLUMN captured_amount  numeric(38,0),
    ADD COLUMN hold_expires_at  timestamptz,
    ADD COLUMN scheduled_at     timestamptz,
    ADD COLUMN expires_at       timestamptz,
    ADD CONSTRAINT payments_only_charges_are_captured_later CHECK (capture OR type = 'charge'),
    ADD CONSTRAINT payments_captured_is_within_amount CHECK (captured_amount > 0 AND captured_amount <= amount),
    ADD CONSTRAINT payments_captured_exactly_when_completed
        CHECK ((captured_amount IS NOT NULL) = (NOT capture AND state = 'COMPLETED')),
    ADD CONSTRAINT payments_holds_expire
        CHECK (capture = (hold_expires_at IS NULL) OR (NOT capture AND state <> 'AUTHORIZED')),
    ADD CONSTRAINT payments_scheduled_are_orders CHECK (scheduled_at IS NULL OR type IN ('transfer', 'charge'));
CREATE INDEX payments_holds ON payments (hold_expires_at, id) WHERE state = 'AUTHORIZED' AND parked_at IS NULL;
COMMENT ON COLUMN payments.capture IS 'false: the money is held first, until a command captures it';

-- The first to end a payment wins: capture, void and cancel are one question; a refused one has not ended anything.
ALTER TABLE commands
    ADD COLUMN amount numeric(38,0),
    ALTER COLUMN reason DROP NOT NULL,
    DROP CONSTRAINT commands_kind_is_known,
    ADD CONSTRAINT commands_kind_is_known CHECK (kind IN ('retry', 'capture', 'void', 'cancel')),
    ADD CONSTRAINT commands_only_captures_have_amounts
        CHECK (amount IS NULL OR (kind = 'capture' AND amount > 0 AND amount < 1e38)),
    ADD CONSTRAINT commands_retries_have_reasons CHECK (reason IS NOT NULL OR kind <> 'retry');
CREATE UNIQUE INDEX commands_one_ending ON commands (payment_id)
    WHERE kind <> 'retry' AND outcome IS DISTINCT FROM 'refused';
