-- How many payments became final, counted behind the posters by the events that say so, up to a position in their feed.
CREATE TABLE final_payment_counts (
    type          text NOT NULL,
    state         text NOT NULL,
    currency      text NOT NULL REFERENCES currencies,
    failure_code  text NOT NULL DEFAULT '',
    number        bigint NOT NULL,
    PRIMARY KEY (type, state, currency, failure_code),
    CONSTRAINT final_payment_counts_are_of_final CHECK (state IN ('COMPLETED', 'FAILED')),
    CONSTRAINT final_payment_counts_are_positive CHECK (number > 0)
);
COMMENT ON TABLE final_payment_counts IS 'final payments up to the position of the reader "counts" in event_positions';
INSERT INTO event_positions (reader, xact, sequence) VALUES ('counts', '0', 0);

CREATE TRIGGER final_payment_counts_only_grow BEFORE UPDATE ON final_payment_counts FOR EACH ROW
    WHEN ((NEW.type, NEW.state, NEW.currency, NEW.failure_code)
          IS DISTINCT FROM (OLD.type, OLD.state, OLD.currency, OLD.failure_code) OR NEW.number < OLD.number)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER final_payment_counts_are_never_deleted BEFORE DELETE ON final_payment_counts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER final_payment_counts_are_never_truncated BEFORE TRUNCATE ON final_payment_counts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON final_payment_counts FROM PUBLIC, payments_worker, payments_gateway;
GRANT SELECT ON final_payment_counts TO payments_worker, payments_gateway;
GRANT INSERT (type, state, currency, failure_code, number), UPDATE (number) ON final_payment_counts TO payments_worker;
