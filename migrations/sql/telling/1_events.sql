-- Events of payments, bulks and webhook endpoints in one order, with whom they concern; waiters are woken by each.

ALTER TABLE payment_events RENAME TO events;
ALTER TABLE events RENAME COLUMN payment_id TO subject_id;
ALTER TRIGGER payment_events_are_append_only ON events RENAME TO events_are_append_only;
ALTER TRIGGER payment_events_are_never_truncated ON events RENAME TO events_are_never_truncated;
ALTER TRIGGER payment_events_are_told_by_triggers ON events RENAME TO events_are_told_by_triggers;

-- A sequence is given before its transaction commits, so a lower one may appear after a higher one. The transaction's
-- number orders them for readers that continue from where they stopped: those below pg_snapshot_xmin are all there.
ALTER TABLE events
    ADD COLUMN xact      xid8 NOT NULL DEFAULT '3',
    ADD COLUMN user_id   uuid,
    ADD COLUMN payer_id  uuid,
    ADD COLUMN payee_id  uuid;
ALTER TABLE events
    ALTER COLUMN xact SET DEFAULT pg_current_xact_id(),
    ALTER COLUMN created_at SET DEFAULT clock_timestamp();  -- a poster's transaction may begin before what it posts
COMMENT ON COLUMN events.xact IS 'that wrote it; 3 for those older than this column';
COMMENT ON COLUMN events.subject_id IS 'the payment, bulk or webhook endpoint that it is about';
COMMENT ON COLUMN events.user_id IS 'who made the subject';
COMMENT ON COLUMN events.payer_id IS 'whose account the money comes from, if somebody else''s';
COMMENT ON COLUMN events.payee_id IS 'whose account it goes to, if somebody else''s again';

ALTER TABLE events DISABLE TRIGGER events_are_append_only;
UPDATE events e
SET user_id = p.user_id, payer_id = nullif(s.owner_id, p.user_id),
    payee_id = nullif(nullif(t.owner_id, p.user_id), s.owner_id)
FROM payments p LEFT JOIN accounts s ON s.id = p.source_id LEFT JOIN accounts t ON t.id = p.target_id
WHERE p.id = e.subject_id;
ALTER TABLE events ENABLE TRIGGER events_are_append_only;

ALTER TABLE events
    DROP CONSTRAINT payment_events_pkey,
    DROP CONSTRAINT payment_events_one_per_version,
    ADD CONSTRAINT events_pkey PRIMARY KEY (xact, sequence);
-- Of each kind: an endpoint or a bulk that took the id of a payment must not keep that from being posted.
CREATE UNIQUE INDEX events_one_per_version ON events (subject_id, version, split_part(name, '.', 1)) WHERE name <> 'ping';
CREATE INDEX events_by_user ON events (user_id, xact, sequence);
CREATE INDEX events_by_payer ON events (payer_id, xact, sequence) WHERE payer_id IS NOT NULL;
CREATE INDEX events_by_payee ON events (payee_id, xact, sequence) WHERE payee_id IS NOT NULL;

-- Wakes the waiters of any of these; 200 ids fit into one notification.
CREATE FUNCTION wake(ids uuid[]) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    FOR place IN 1..cardinality(ids) BY 200 LOOP
        PERFORM pg_notify('transitions', array_to_string(ids[place:place + 199], ','));
    END LOOP;
END
$$;

-- Owners by sub-select, never by join: a plan made for a batch would read all accounts, and be kept for a single payment.
CREATE OR REPLACE FUNCTION payments_tell_initiated() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO events (subject_id, version, name, user_id, payer_id, payee_id)
    SELECT id, version, name, user_id, nullif(payer_id, user_id), nullif(nullif(payee_id, user_id), payer_id)
    FROM (
        SELECT i.id, i.version, 'payment.' || lower(i.state) AS name, i.user_id,
               (SELECT owner_id FROM accounts WHERE id = i.source_id) AS payer_id,
               (SELECT owner_id FROM accounts WHERE id = i.target_id) AS payee_id
        FROM inserted i
        ORDER BY i.id
    ) told;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION payments_tell_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    told uuid[];
BEGIN
    WITH told AS (
        INSERT INTO events (subject_id, version, name, user_id, payer_id, payee_id)
        SELECT id, version, name, user_id, nullif(payer_id, user_id), nullif(nullif(payee_id, user_id), payer_id)
        FROM (
            SELECT n.id, n.version, n.user_id,
                   'payment.' || CASE WHEN n.state <> o.state THEN lower(n.state) ELSE 'parked' END AS name,
                   (SELECT owner_id FROM accounts WHERE id = n.source_id) AS payer_id,
                   (SELECT owner_id FROM accounts WHERE id = n.target_id) AS payee_id
            FROM after n JOIN before o USING (id)
            WHERE n.state <> o.state OR (n.parked_at IS NOT NULL AND o.parked_at IS NULL)
            ORDER BY n.id
        ) moved
        RETURNING subject_id
    )
    SELECT array_agg(subject_id) INTO told FROM told;
    IF told IS NOT NULL THEN
        PERFORM wake(told);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION bulks_tell_their_end() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO events (subject_id, version, name, user_id)
    VALUES (NEW.id, NEW.version, 'bulk.' || lower(NEW.state), NEW.user_id);
    PERFORM wake(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;
CREATE TRIGGER bulks_tell_their_end AFTER UPDATE ON bulks
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION bulks_tell_their_end();

REVOKE ALL ON FUNCTION wake, bulks_tell_their_end FROM PUBLIC;
