DROP TRIGGER payments_ids_are_of_their_day ON payments;
DROP FUNCTION refuse_clock;
CREATE OR REPLACE FUNCTION operations_sum_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    culprit record;
BEGIN
    SELECT payment_id, currency, sum(amount) AS total INTO culprit
    FROM inserted GROUP BY payment_id, currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'operations of payment % sum to % %', culprit.payment_id, culprit.total, culprit.currency
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END
$$;
