-- Three roles: the owner migrates, the worker moves money, the gateway stores orders.
-- The roles belong to the whole server, so they may exist already; passwords are set by the migration.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payments_worker') THEN
        CREATE ROLE payments_worker LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'payments_gateway') THEN
        CREATE ROLE payments_gateway LOGIN;
    END IF;
END
$$;

-- A stopped poster loses its connection after five seconds, so that the stand-by can go on.
ALTER ROLE payments_worker SET lock_timeout = '2s';
ALTER ROLE payments_worker SET statement_timeout = '10s';
ALTER ROLE payments_worker SET idle_in_transaction_session_timeout = '5s';

ALTER ROLE payments_gateway SET lock_timeout = '2s';
ALTER ROLE payments_gateway SET statement_timeout = '10s';
ALTER ROLE payments_gateway SET idle_in_transaction_session_timeout = '15s';

-- No other role creates tables, functions or temporary tables.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$;
