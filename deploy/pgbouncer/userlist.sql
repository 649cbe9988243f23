-- userlist.txt: both roles with their SCRAM secrets, by which clients sign in here and PgBouncer at PostgreSQL.
-- `psql -XAtU postgres -d payments -f userlist.sql > userlist.txt`; again after a password was changed.
SELECT format('"%s" "%s"', rolname, rolpassword) FROM pg_authid
WHERE rolname IN ('payments_gateway', 'payments_worker') ORDER BY 1;
