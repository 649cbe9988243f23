-- The time inside an id prunes partitions and bounds what is looked through, always with a day to spare. So an id is of
-- the day at which the database keeps its payment, or it is refused: no clock of ours can be so wrong unseen.
CREATE FUNCTION refuse_clock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the clock that made id % is more than a day from % here', NEW.id, NEW.created_at
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END
$$;
CREATE TRIGGER payments_ids_are_of_their_day BEFORE INSERT ON payments FOR EACH ROW
    WHEN (abs(('x0000' || left(translate(NEW.id::text, '-', ''), 12))::bit(64)::bigint
              - extract(epoch FROM NEW.created_at) * 1000) >= 86400000)
    EXECUTE FUNCTION refuse_clock();
REVOKE ALL ON FUNCTION refuse_clock FROM PUBLIC;
