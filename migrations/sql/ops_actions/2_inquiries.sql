-- A question of an ops user to a bank about one payout, and what the bank said at that moment, beside what was known.
CREATE TABLE inquiries (
    id                    uuid PRIMARY KEY,
    payment_id            uuid NOT NULL,
    asked_by              text NOT NULL,
    reason                text NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    answered_at           timestamptz,
    answer                text,
    answer_reason         text,
    bank_reference        text,
    known_answer          text,
    known_bank_reference  text,
    CONSTRAINT inquiries_answer_is_known CHECK (
        answer IN ('confirmed', 'rejected', 'pending', 'unknown', 'not_found', 'unreachable', 'not_sent')),
    CONSTRAINT inquiries_known_answer_is_known CHECK (known_answer IN ('confirmed', 'rejected', 'pending', 'unknown')),
    CONSTRAINT inquiries_answered_exactly_with_answer
        CHECK (num_nonnulls(answered_at, answer) IN (0, 2)
               AND (answer IS NOT NULL
                    OR num_nonnulls(answer_reason, bank_reference, known_answer, known_bank_reference) = 0)),
    CONSTRAINT inquiries_words_are_bounded
        CHECK (length(reason) BETWEEN 1 AND 500 AND length(answer_reason) BETWEEN 1 AND 500
               AND length(bank_reference) BETWEEN 1 AND 100 AND length(known_bank_reference) BETWEEN 1 AND 100)
);
CREATE UNIQUE INDEX inquiries_one_open ON inquiries (payment_id) WHERE answered_at IS NULL;
CREATE INDEX inquiries_by_payment ON inquiries (payment_id, id);
COMMENT ON COLUMN inquiries.asked_by IS 'id of an ops user; shell: the person who runs the commands';
COMMENT ON COLUMN inquiries.answer IS 'not_sent: it was taken back meanwhile, so the bank was not asked';
COMMENT ON COLUMN inquiries.known_answer IS 'what was known here when the bank answered';

CREATE TRIGGER inquiries_are_of_ops BEFORE INSERT ON inquiries
    FOR EACH ROW EXECUTE FUNCTION actors_are_of_ops('asked_by');
CREATE TRIGGER inquiries_are_answered_once BEFORE UPDATE ON inquiries FOR EACH ROW
    WHEN (OLD.answered_at IS NOT NULL
          OR (NEW.id, NEW.payment_id, NEW.asked_by, NEW.reason, NEW.created_at)
             IS DISTINCT FROM (OLD.id, OLD.payment_id, OLD.asked_by, OLD.reason, OLD.created_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER inquiries_are_never_deleted BEFORE DELETE ON inquiries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER inquiries_are_never_truncated BEFORE TRUNCATE ON inquiries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON inquiries FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT, INSERT (id, payment_id, asked_by, reason) ON inquiries TO payments_worker, payments_gateway;
GRANT UPDATE (answered_at, answer, answer_reason, bank_reference, known_answer, known_bank_reference)
    ON inquiries TO payments_worker;
