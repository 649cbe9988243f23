-- A scheduled payment is not due before its time.
CREATE FUNCTION payments_wait_for_their_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.due_at := greatest(NEW.due_at, NEW.scheduled_at);
    RETURN NEW;
END
$$;
CREATE TRIGGER payments_wait_for_their_time BEFORE INSERT ON payments
    FOR EACH ROW WHEN (NEW.scheduled_at IS NOT NULL) EXECUTE FUNCTION payments_wait_for_their_time();

-- The order of a payment never changes, in the new columns too.
CREATE FUNCTION payments_orders_are_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the order of payment % cannot be changed', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
END
$$;
CREATE TRIGGER payments_orders_are_immutable BEFORE UPDATE OF capture, scheduled_at, expires_at, parent_id, reason
    ON payments
    FOR EACH ROW WHEN ((NEW.capture, NEW.scheduled_at, NEW.expires_at, NEW.parent_id, NEW.reason)
                       IS DISTINCT FROM (OLD.capture, OLD.scheduled_at, OLD.expires_at, OLD.parent_id, OLD.reason))
    EXECUTE FUNCTION payments_orders_are_immutable();
