-- Commands of ops users are history that the old constraints refuse: then there is no way back.
REVOKE INSERT (is_by_ops) ON commands FROM payments_gateway;
REVOKE INSERT (is_by_ops, amount) ON commands FROM payments_worker;
DROP TRIGGER instructions_are_resolved_by_two ON instructions;
ALTER TABLE instructions DROP COLUMN resolution_id;
DROP TABLE resolutions, inquiries;
DROP TRIGGER payments_sent_fail_by_an_answer ON payments;
DROP TRIGGER commands_leave_bulks_whole ON commands;
CREATE OR REPLACE FUNCTION commands_leave_bulks_whole() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM payments p JOIN bulks b ON b.id = p.bulk_id
               WHERE p.id = NEW.payment_id AND b.mode = 'atomic') THEN
        RAISE EXCEPTION 'payment % goes with its bulk', NEW.payment_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER commands_leave_bulks_whole BEFORE INSERT ON commands
    FOR EACH ROW WHEN (NEW.kind = 'cancel') EXECUTE FUNCTION commands_leave_bulks_whole();
DROP TRIGGER commands_by_ops_are_of_ops ON commands;
DROP FUNCTION instructions_are_resolved_by_two, payments_sent_fail_by_an_answer, actors_are_of_ops;
DROP INDEX commands_one_open_resolve, commands_one_ending;
CREATE UNIQUE INDEX commands_one_ending ON commands (payment_id)
    WHERE kind IN ('capture', 'void', 'cancel') AND outcome IS DISTINCT FROM 'refused';
ALTER TABLE commands
    DROP CONSTRAINT commands_of_ops_have_reasons,
    DROP CONSTRAINT commands_only_ops_fail_and_resolve,
    DROP CONSTRAINT commands_are_a_users_or_the_banks,
    DROP CONSTRAINT commands_kind_is_known,
    DROP COLUMN is_by_ops,
    ADD CONSTRAINT commands_kind_is_known
        CHECK (kind IN ('retry', 'capture', 'void', 'cancel', 'confirm', 'reject')),
    ADD CONSTRAINT commands_are_a_users_or_the_banks CHECK ((user_id IS NULL) = (kind IN ('confirm', 'reject')));
