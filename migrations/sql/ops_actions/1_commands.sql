-- Ops users end payments too: a command says so, and why. One without a user is of the shell, or the bank's answer.
ALTER TABLE commands
    ADD COLUMN is_by_ops boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT commands_kind_is_known,
    ADD CONSTRAINT commands_kind_is_known
        CHECK (kind IN ('retry', 'capture', 'void', 'cancel', 'fail', 'resolve', 'confirm', 'reject')),
    DROP CONSTRAINT commands_are_a_users_or_the_banks,
    ADD CONSTRAINT commands_are_a_users_or_the_banks
        CHECK (CASE WHEN kind IN ('confirm', 'reject') THEN user_id IS NULL ELSE user_id IS NOT NULL OR is_by_ops END),
    ADD CONSTRAINT commands_only_ops_fail_and_resolve CHECK (is_by_ops OR kind NOT IN ('fail', 'resolve')),
    ADD CONSTRAINT commands_of_ops_have_reasons CHECK (reason IS NOT NULL OR NOT is_by_ops);
COMMENT ON COLUMN commands.is_by_ops IS 'ordered by an ops user, who need not be the initiator; without a user on the shell';
DROP INDEX commands_one_ending;
CREATE UNIQUE INDEX commands_one_ending ON commands (payment_id)
    WHERE kind IN ('capture', 'void', 'cancel', 'fail') AND outcome IS DISTINCT FROM 'refused';
CREATE UNIQUE INDEX commands_one_open_resolve ON commands (payment_id) WHERE kind = 'resolve' AND decided_at IS NULL;

-- The actors named in these columns are active ops users, or the shell, which is not the gateway's to name.
CREATE FUNCTION actors_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    named text;
    actor text;
BEGIN
    FOREACH named IN ARRAY TG_ARGV LOOP
        actor := coalesce(to_jsonb(NEW) ->> named, CASE TG_TABLE_NAME WHEN 'commands' THEN 'shell' END);
        IF NOT (CASE
            WHEN actor IS NULL THEN true
            WHEN actor = 'shell' THEN current_user <> 'payments_gateway'
            WHEN actor ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
                EXISTS (SELECT FROM users WHERE id = actor::uuid AND role = 'ops' AND is_active)
            ELSE false
        END) THEN
            RAISE EXCEPTION '% is no ops user', actor USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;
CREATE TRIGGER commands_by_ops_are_of_ops BEFORE INSERT ON commands
    FOR EACH ROW WHEN (NEW.is_by_ops) EXECUTE FUNCTION actors_are_of_ops('user_id');

-- A line whose atomic bulk is not decided goes with its bulk. Once its money is held it ends by itself, as by its bank.
CREATE OR REPLACE FUNCTION commands_leave_bulks_whole() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM payments p JOIN bulks b ON b.id = p.bulk_id
               WHERE p.id = NEW.payment_id AND b.mode = 'atomic' AND (NEW.kind = 'cancel' OR p.state = 'INITIATED')) THEN
        RAISE EXCEPTION 'payment % goes with its bulk', NEW.payment_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
DROP TRIGGER commands_leave_bulks_whole ON commands;
CREATE TRIGGER commands_leave_bulks_whole BEFORE INSERT ON commands
    FOR EACH ROW WHEN (NEW.kind IN ('cancel', 'fail')) EXECUTE FUNCTION commands_leave_bulks_whole();

-- What a bank may know of fails by its answer, or by one that two ops users agreed on, and never otherwise.
CREATE FUNCTION payments_sent_fail_by_an_answer() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM instructions
               WHERE payment_id = NEW.id AND answer IS DISTINCT FROM 'rejected'
                 AND num_nonnulls(submitted_at, due_at, answer) > 0) THEN
        RAISE EXCEPTION 'the bank may have paid payment %', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER payments_sent_fail_by_an_answer BEFORE UPDATE OF state ON payments FOR EACH ROW
    WHEN (OLD.type = 'withdrawal' AND OLD.state = 'AUTHORIZED' AND NEW.state = 'FAILED')
    EXECUTE FUNCTION payments_sent_fail_by_an_answer();

REVOKE ALL ON FUNCTION actors_are_of_ops, payments_sent_fail_by_an_answer FROM PUBLIC;
GRANT INSERT (is_by_ops) ON commands TO payments_gateway;
GRANT INSERT (is_by_ops, amount) ON commands TO payments_worker;
