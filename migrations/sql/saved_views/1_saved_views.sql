-- Lists of the console as one of ops or an auditor saved them: the query of the list's URL under a name.
CREATE TABLE saved_views (
    id          uuid PRIMARY KEY,
    user_id     uuid REFERENCES users,
    list        text NOT NULL,
    name        text NOT NULL,
    query       text NOT NULL,
    is_shared   boolean NOT NULL DEFAULT FALSE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT saved_views_list_is_known CHECK (
        list IN ('payments', 'users', 'accounts', 'audit', 'webhooks', 'bulks', 'adjustments')),
    CONSTRAINT saved_views_name_is_bounded CHECK (length(name) BETWEEN 1 AND 60),
    CONSTRAINT saved_views_query_is_encoded CHECK (
        length(query) <= 2000 AND query ~ '^[a-z_]+=[A-Za-z0-9_.~%+-]+(&[a-z_]+=[A-Za-z0-9_.~%+-]+)*$'),
    CONSTRAINT saved_views_of_nobody_are_shared CHECK (user_id IS NOT NULL OR is_shared)
);
CREATE UNIQUE INDEX saved_views_names_once ON saved_views (user_id, list, lower(name)) NULLS NOT DISTINCT;
CREATE INDEX saved_views_shared ON saved_views (id) WHERE is_shared;
COMMENT ON COLUMN saved_views.user_id IS 'null: the operator, in a shell';

-- Auditors save views for themselves alone; the gateway saves none of nobody.
CREATE FUNCTION saved_views_are_of_ops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (CASE WHEN NEW.user_id IS NULL THEN current_user = 'payments_gateway'
            ELSE NOT EXISTS (SELECT FROM users WHERE id = NEW.user_id
                             AND (role = 'ops' OR role = 'auditor' AND NOT NEW.is_shared)) END) THEN
        RAISE EXCEPTION 'only ops save views for others, and auditors for themselves'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER saved_views_are_of_ops BEFORE INSERT OR UPDATE ON saved_views
    FOR EACH ROW EXECUTE FUNCTION saved_views_are_of_ops();

-- At most 50 of each person: those who save at the same time wait for each other.
CREATE FUNCTION saved_views_are_few() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('saved_views ' || coalesce(NEW.user_id::text, ''), 0));
    IF (SELECT count(*) FROM saved_views WHERE user_id IS NOT DISTINCT FROM NEW.user_id) >= 50 THEN
        RAISE EXCEPTION 'at most 50 views of a person are saved'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER saved_views_are_few BEFORE INSERT ON saved_views
    FOR EACH ROW EXECUTE FUNCTION saved_views_are_few();
CREATE TRIGGER saved_views_stay_with_their_owner BEFORE UPDATE ON saved_views FOR EACH ROW
    WHEN ((NEW.id, NEW.user_id, NEW.list, NEW.created_at)
          IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.list, OLD.created_at))
    EXECUTE FUNCTION refuse_change();

REVOKE ALL ON saved_views FROM PUBLIC, payments_worker, payments_gateway;
REVOKE ALL ON FUNCTION saved_views_are_of_ops, saved_views_are_few FROM PUBLIC;
GRANT SELECT, DELETE ON saved_views TO payments_worker, payments_gateway;
GRANT INSERT (id, user_id, list, name, query, is_shared), UPDATE (name, query, is_shared)
    ON saved_views TO payments_worker, payments_gateway;
