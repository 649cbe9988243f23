-- Changes that no role may make, not even by mistake: each trigger is named after the promise it keeps.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % refused on %', TG_NAME, TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END
$$;

CREATE TRIGGER operations_are_append_only BEFORE UPDATE OR DELETE ON operations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER operations_are_never_truncated BEFORE TRUNCATE ON operations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payments_are_never_deleted BEFORE DELETE ON payments
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payments_are_never_truncated BEFORE TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_events_are_append_only BEFORE UPDATE OR DELETE ON payment_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_events_are_never_truncated BEFORE TRUNCATE ON payment_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER idempotency_keys_are_append_only BEFORE UPDATE OR DELETE ON idempotency_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER idempotency_keys_are_never_truncated BEFORE TRUNCATE ON idempotency_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_references_are_append_only BEFORE UPDATE OR DELETE ON payment_references
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_references_are_never_truncated BEFORE TRUNCATE ON payment_references
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_is_never_truncated BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Operations sum to zero per payment and currency: one check for the whole batch.
CREATE FUNCTION operations_sum_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER operations_sum_to_zero AFTER INSERT ON operations
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION operations_sum_to_zero();

-- A payment moves along an edge or not at all; its order never changes.
-- The edges are those of TRANSITIONS in models/rules/state.py.
CREATE FUNCTION payments_move_along_edges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state IN ('COMPLETED', 'FAILED') THEN
        RAISE EXCEPTION 'payment % is final', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_final_is_final';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('INITIATED', 'AUTHORIZED'), ('INITIATED', 'COMPLETED'), ('INITIATED', 'FAILED'),
        ('AUTHORIZED', 'COMPLETED'), ('AUTHORIZED', 'FAILED')
    ) THEN
        RAISE EXCEPTION 'payment % cannot move from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_move_along_edges';
    END IF;
    IF (NEW.id, NEW.type, NEW.user_id, NEW.source_id, NEW.target_id, NEW.amount, NEW.currency, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.type, OLD.user_id, OLD.source_id, OLD.target_id, OLD.amount, OLD.currency, OLD.created_at)
    THEN
        RAISE EXCEPTION 'the order of payment % cannot be changed', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'payments_orders_are_immutable';
    END IF;
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;
CREATE TRIGGER payments_move_along_edges BEFORE UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION payments_move_along_edges();

-- An event exists if and only if its transition does, and not even the owner can forge one:
-- only these functions, which run as the owner from triggers, may write payment_events.
CREATE TRIGGER payment_events_are_told_by_triggers BEFORE INSERT ON payment_events
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();

CREATE FUNCTION payments_tell_initiated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO payment_events (payment_id, version, name)
    SELECT id, version, 'payment.' || lower(state) FROM inserted ORDER BY id;
    RETURN NULL;
END
$$;
CREATE TRIGGER payments_tell_initiated AFTER INSERT ON payments
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION payments_tell_initiated();

CREATE FUNCTION payments_tell_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO payment_events (payment_id, version, name)
    SELECT n.id, n.version,
           'payment.' || CASE WHEN n.state <> o.state THEN lower(n.state) ELSE 'parked' END
    FROM after n JOIN before o USING (id)
    WHERE n.state <> o.state OR (n.parked_at IS NOT NULL AND o.parked_at IS NULL)
    ORDER BY n.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER payments_tell_changes AFTER UPDATE ON payments
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION payments_tell_changes();

-- Technical accounts appear with their currency, one per code.
CREATE FUNCTION currencies_open_technical_accounts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO accounts (id, code, currency, floor)
    SELECT gen_random_uuid(), code, NEW.code, NULL
    FROM unnest(ARRAY['internal', 'commission', 'wire', 'wallet', 'crypto', 'exchange']) AS code;
    RETURN NULL;
END
$$;
CREATE TRIGGER currencies_open_technical_accounts AFTER INSERT ON currencies
    FOR EACH ROW EXECUTE FUNCTION currencies_open_technical_accounts();

-- The digits of a currency give every stored amount its meaning.
CREATE FUNCTION currencies_digits_are_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.code <> OLD.code
       OR EXISTS (SELECT FROM accounts WHERE currency = OLD.code AND owner_id IS NOT NULL) THEN
        RAISE EXCEPTION 'currency % is in use, its code and digits are fixed', OLD.code
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER currencies_digits_are_fixed BEFORE UPDATE OF code, digits ON currencies
    FOR EACH ROW WHEN (OLD.digits <> NEW.digits OR OLD.code <> NEW.code)
    EXECUTE FUNCTION currencies_digits_are_fixed();
