"""Runs the migrations as the owner, one at a time: a second `alembic upgrade` waits for the first."""

from alembic import context
from sqlalchemy import NullPool, create_engine, text

import settings

MIGRATION_LOCK = 0x6D696772
"""Session lock of whoever migrates this database ("migr" in ASCII)."""

url = context.get_x_argument(as_dictionary=True).get("url") or settings.load().database_url
if url is None:
    raise SystemExit("alembic: DATABASE_URL is not set and no embedded stack is running here")

with create_engine(url, poolclass=NullPool).connect() as connection:
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.commit()
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
