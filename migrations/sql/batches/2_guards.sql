-- Only ops select and retry, in their own name; a batch has the payments of its selection and no others.

CREATE FUNCTION selections_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM users WHERE id = NEW.user_id AND (role <> 'ops' OR NOT is_active)) THEN
        RAISE EXCEPTION 'only ops select payments'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER selections_are_of_ops BEFORE INSERT ON selections
    FOR EACH ROW EXECUTE FUNCTION selections_are_of_ops();
CREATE TRIGGER selections_of_the_shell_are_the_workers BEFORE INSERT ON selections
    FOR EACH ROW WHEN (NEW.user_id IS NULL) EXECUTE FUNCTION refuse_gateway();
CREATE TRIGGER selections_never_change BEFORE UPDATE ON selections
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER selections_are_deleted_when_expired BEFORE DELETE ON selections
    FOR EACH ROW WHEN (OLD.expires_at > now() - interval '1 day') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER selections_are_never_truncated BEFORE TRUNCATE ON selections
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION batches_use_their_own_selection() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    selection selections;
BEGIN
    SELECT * INTO selection FROM selections WHERE id = NEW.selection_id;
    IF selection.user_id IS DISTINCT FROM NEW.user_id OR NOT FOUND THEN
        RAISE EXCEPTION 'batch % needs a selection of its user', NEW.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF selection.expires_at <= clock_timestamp() THEN
        RAISE EXCEPTION 'selection % has expired', NEW.selection_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'batches_use_a_fresh_selection';
    END IF;
    NEW.total := (SELECT count(DISTINCT id) FROM unnest(selection.payment_ids) AS id);
    RETURN NEW;
END
$$;
CREATE TRIGGER batches_use_their_own_selection BEFORE INSERT ON batches
    FOR EACH ROW EXECUTE FUNCTION batches_use_their_own_selection();
CREATE TRIGGER batches_of_the_shell_are_the_workers BEFORE INSERT ON batches
    FOR EACH ROW WHEN (NEW.user_id IS NULL) EXECUTE FUNCTION refuse_gateway();

CREATE FUNCTION batches_list_their_payments() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO batch_items (batch_id, payment_id)
    SELECT DISTINCT NEW.id, payment_id
    FROM selections s, unnest(s.payment_ids) AS payment_id WHERE s.id = NEW.selection_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER batches_list_their_payments AFTER INSERT ON batches
    FOR EACH ROW EXECUTE FUNCTION batches_list_their_payments();
CREATE TRIGGER batch_items_are_listed_by_a_trigger BEFORE INSERT ON batch_items
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION refuse_change();

-- A batch only goes forward, and is stopped once, by ops.
CREATE TRIGGER batches_only_go_forward BEFORE UPDATE ON batches FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL OR NEW.retried < OLD.retried OR NEW.skipped < OLD.skipped
          OR (OLD.stopped_at IS NOT NULL AND (NEW.stopped_at, NEW.stopped_by, NEW.stop_reason, NEW.retried)
              IS DISTINCT FROM (OLD.stopped_at, OLD.stopped_by, OLD.stop_reason, OLD.retried))
          OR (NEW.id, NEW.selection_id, NEW.user_id, NEW.token_id, NEW.address, NEW.request_id, NEW.reason, NEW.total,
              NEW.created_at)
             IS DISTINCT FROM
             (OLD.id, OLD.selection_id, OLD.user_id, OLD.token_id, OLD.address, OLD.request_id, OLD.reason, OLD.total,
              OLD.created_at))
    EXECUTE FUNCTION refuse_change();
CREATE FUNCTION batches_are_stopped_by_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM users WHERE id = NEW.stopped_by AND (role <> 'ops' OR NOT is_active)) THEN
        RAISE EXCEPTION 'only ops stop batches'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER batches_are_stopped_by_ops BEFORE UPDATE OF stopped_by ON batches
    FOR EACH ROW EXECUTE FUNCTION batches_are_stopped_by_ops();
CREATE TRIGGER batches_are_stopped_by_name BEFORE UPDATE OF stopped_at ON batches
    FOR EACH ROW WHEN (NEW.stopped_by IS NULL) EXECUTE FUNCTION refuse_gateway();
CREATE TRIGGER batches_are_never_deleted BEFORE DELETE ON batches
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batches_are_never_truncated BEFORE TRUNCATE ON batches
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER batch_items_are_decided_once BEFORE UPDATE ON batch_items FOR EACH ROW
    WHEN (OLD.outcome IS NOT NULL OR (NEW.batch_id, NEW.payment_id) IS DISTINCT FROM (OLD.batch_id, OLD.payment_id))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batch_items_are_never_deleted BEFORE DELETE ON batch_items
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER batch_items_are_never_truncated BEFORE TRUNCATE ON batch_items
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE ALL ON selections, batches, batch_items FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION selections_are_of_ops, batches_use_their_own_selection, batches_list_their_payments,
    batches_are_stopped_by_ops FROM PUBLIC;
GRANT SELECT ON selections, batches, batch_items TO payments_worker, payments_gateway;

-- Both select and order, the worker for the shell; only the worker carries out.
GRANT INSERT (user_id, filter, payment_ids) ON selections TO payments_worker, payments_gateway;
GRANT INSERT (id, selection_id, user_id, token_id, address, request_id, reason),
      UPDATE (stopped_at, stopped_by, stop_reason)
    ON batches TO payments_worker, payments_gateway;
GRANT UPDATE (retried, skipped, ended_at) ON batches TO payments_worker;
GRANT UPDATE (outcome, skip_reason, decided_at) ON batch_items TO payments_worker;
GRANT DELETE ON selections TO payments_worker;
