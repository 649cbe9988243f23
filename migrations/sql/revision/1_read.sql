-- Gateway and workers see at their start whether the database is as new as their code.
GRANT SELECT (version_num) ON alembic_version TO payments_worker, payments_gateway;
