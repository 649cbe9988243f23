-- What its bank never answered is resolved by two people: one proposes with evidence, another approves, a worker executes.
CREATE TABLE resolutions (
    id                uuid PRIMARY KEY,
    payment_id        uuid NOT NULL,
    outcome           text NOT NULL,
    bank_reference    text,
    value_date        date,
    reason            text NOT NULL,
    proposed_by       text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    approved_by       text,
    approved_at       timestamptz,
    approval_reason   text,
    rejected_by       text,
    rejected_at       timestamptz,
    rejection_reason  text,
    executed_at       timestamptz,
    refusal           text,
    bank_answer       text,
    bank_answered_at  timestamptz,
    CONSTRAINT resolutions_outcome_is_known CHECK (outcome IN ('paid', 'not_paid')),
    CONSTRAINT resolutions_paid_have_evidence CHECK (outcome <> 'paid' OR num_nonnulls(bank_reference, value_date) = 2),
    CONSTRAINT resolutions_words_are_bounded
        CHECK (length(bank_reference) BETWEEN 1 AND 100 AND length(reason) BETWEEN 1 AND 500
               AND length(approval_reason) BETWEEN 1 AND 500 AND length(rejection_reason) BETWEEN 1 AND 500
               AND length(refusal) BETWEEN 1 AND 100),
    CONSTRAINT resolutions_take_two_people CHECK (approved_by <> proposed_by),
    CONSTRAINT resolutions_are_approved_wholly
        CHECK (num_nonnulls(approved_by, approved_at) IN (0, 2)
               AND (approval_reason IS NULL OR approved_by IS NOT NULL)),
    CONSTRAINT resolutions_are_rejected_wholly
        CHECK (num_nonnulls(rejected_by, rejected_at, rejection_reason) IN (0, 3)),
    CONSTRAINT resolutions_are_approved_or_rejected CHECK (approved_by IS NULL OR rejected_by IS NULL),
    CONSTRAINT resolutions_are_executed_if_approved
        CHECK ((executed_at IS NULL OR approved_by IS NOT NULL) AND (refusal IS NULL OR executed_at IS NOT NULL)),
    CONSTRAINT resolutions_hear_of_the_bank_wholly
        CHECK (num_nonnulls(bank_answer, bank_answered_at) IN (0, 2) AND bank_answer IN ('confirmed', 'rejected')
               AND (bank_answer IS NULL OR executed_at IS NOT NULL))
);
CREATE UNIQUE INDEX resolutions_one_open ON resolutions (payment_id) WHERE rejected_by IS NULL AND executed_at IS NULL;
CREATE INDEX resolutions_by_payment ON resolutions (payment_id, id);
COMMENT ON COLUMN resolutions.proposed_by IS 'id of an ops user; shell: the person who runs the commands; as the other people here';
COMMENT ON COLUMN resolutions.refusal IS 'why the worker did not execute it; null: it did, or has not yet';
COMMENT ON COLUMN resolutions.bank_answer IS 'what the bank said after all, once it was executed';

CREATE TRIGGER resolutions_are_proposed_by_ops BEFORE INSERT ON resolutions
    FOR EACH ROW EXECUTE FUNCTION actors_are_of_ops('proposed_by');
CREATE TRIGGER resolutions_are_decided_by_ops BEFORE UPDATE OF approved_by, rejected_by ON resolutions
    FOR EACH ROW EXECUTE FUNCTION actors_are_of_ops('approved_by', 'rejected_by');
CREATE TRIGGER resolutions_are_decided_once BEFORE UPDATE ON resolutions FOR EACH ROW
    WHEN ((NEW.id, NEW.payment_id, NEW.outcome, NEW.bank_reference, NEW.value_date, NEW.reason, NEW.proposed_by,
           NEW.created_at)
          IS DISTINCT FROM
          (OLD.id, OLD.payment_id, OLD.outcome, OLD.bank_reference, OLD.value_date, OLD.reason, OLD.proposed_by,
           OLD.created_at)
          OR (num_nonnulls(OLD.approved_by, OLD.rejected_by) > 0
              AND (NEW.approved_by, NEW.approved_at, NEW.approval_reason, NEW.rejected_by, NEW.rejected_at,
                   NEW.rejection_reason)
                  IS DISTINCT FROM
                  (OLD.approved_by, OLD.approved_at, OLD.approval_reason, OLD.rejected_by, OLD.rejected_at,
                   OLD.rejection_reason))
          OR (OLD.executed_at IS NOT NULL
              AND (NEW.executed_at, NEW.refusal) IS DISTINCT FROM (OLD.executed_at, OLD.refusal))
          OR OLD.bank_answer IS NOT NULL)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER resolutions_are_never_deleted BEFORE DELETE ON resolutions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER resolutions_are_never_truncated BEFORE TRUNCATE ON resolutions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An answer says whether it is the bank's, or which resolution it is.
ALTER TABLE instructions
    ADD COLUMN resolution_id uuid,
    ADD CONSTRAINT instructions_resolved_are_answered CHECK (resolution_id IS NULL OR answer IS NOT NULL);
COMMENT ON COLUMN instructions.resolution_id IS 'null: the answer is the bank''s';
CREATE FUNCTION instructions_are_resolved_by_two() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM resolutions r
                   WHERE r.id = NEW.resolution_id AND r.payment_id = NEW.payment_id AND r.approved_by IS NOT NULL
                     AND r.executed_at IS NULL
                     AND NEW.answer = CASE r.outcome WHEN 'paid' THEN 'confirmed' ELSE 'rejected' END) THEN
        RAISE EXCEPTION 'payment % was not resolved so', NEW.payment_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER instructions_are_resolved_by_two BEFORE INSERT OR UPDATE OF resolution_id ON instructions FOR EACH ROW
    WHEN (NEW.resolution_id IS NOT NULL) EXECUTE FUNCTION instructions_are_resolved_by_two();

REVOKE ALL ON resolutions FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION instructions_are_resolved_by_two FROM PUBLIC;
GRANT SELECT,
      INSERT (id, payment_id, outcome, bank_reference, value_date, reason, proposed_by),
      UPDATE (approved_by, approved_at, approval_reason, rejected_by, rejected_at, rejection_reason)
    ON resolutions TO payments_worker, payments_gateway;
GRANT UPDATE (executed_at, refusal, bank_answer, bank_answered_at) ON resolutions TO payments_worker;
GRANT UPDATE (resolution_id) ON instructions TO payments_worker;
