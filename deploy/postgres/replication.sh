#!/bin/sh
# Run once in a new primary: a role that may only stream, and the line that lets it in. docs/guides/operations.md
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set=password="$(cat "$REPLICA_PASSWORD_FILE")" <<'SQL'
CREATE ROLE payments_replica LOGIN REPLICATION CONNECTION LIMIT 4 PASSWORD :'password';
SELECT pg_create_physical_replication_slot('replica', immediately_reserve => true);
SQL
echo "host replication payments_replica all scram-sha-256" >>"$PGDATA/pg_hba.conf"
