#!/bin/sh
# A streaming replica: copied from the primary at its first start, then PostgreSQL itself with the given options.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    PGPASSWORD=$(cat "$REPLICA_PASSWORD_FILE") pg_basebackup --host="$PRIMARY_HOST" --port="${PRIMARY_PORT:-5432}" --username=payments_replica \
        --pgdata="$PGDATA" --slot=replica --wal-method=stream --write-recovery-conf --checkpoint=fast --no-password
fi
chmod 0700 "$PGDATA"
exec postgres -D "$PGDATA" "$@"
