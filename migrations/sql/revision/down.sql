REVOKE SELECT (version_num) ON alembic_version FROM payments_worker, payments_gateway;
