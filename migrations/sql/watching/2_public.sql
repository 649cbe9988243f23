-- What PostgreSQL lets everybody write is taken back: large objects, which no table and no grant of ours bounds, and
-- messages into the log of changes. Only a superuser may; where the owner is none, one runs this file once:
-- psql -U postgres -d payments -f migrations/sql/watching/2_public.sql
DO $$
DECLARE
    writes regprocedure;
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RETURN;
    END IF;
    FOR writes IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export', 'lo_open', 'lo_put',
                          'lo_truncate', 'lo_truncate64', 'lo_unlink', 'lowrite', 'pg_logical_emit_message')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', writes);
    END LOOP;
END
$$;
