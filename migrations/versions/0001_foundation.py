"""The foundation: roles, tables, guards, partitions, grants, and the world's currencies."""

import iso4217
from alembic import op
from psycopg2 import sql
from psycopg2.extras import execute_values

import database_urls
import settings
from migrations import steps

revision = "0001"
down_revision = None

STEPS = ["1_roles", "2_tables", "3_guards", "4_partitions", "5_grants"]


def upgrade() -> None:
    steps.run("foundation", *STEPS)
    cursor = op.get_bind().connection.cursor()
    _set_passwords(cursor)
    _seed_currencies(cursor)


def downgrade() -> None:
    steps.run("foundation", "down")


def _set_passwords(cursor) -> None:
    """Only what is derived from the owner's password is set; roles with passwords of their own are given by URL."""
    owner_url = op.get_bind().engine.url.render_as_string(hide_password=False)
    for role in (settings.WORKER_ROLE, settings.GATEWAY_ROLE):
        password = database_urls.role_password(owner_url, role)
        if password:
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
            cursor.execute(statement.format(sql.Identifier(role), sql.Literal(password)))


def _seed_currencies(cursor) -> None:
    """ISO 4217 as packaged, without the codes that have no minor unit (gold, test codes, units of account)."""
    rows = [(c.code, c.exponent, "fiat", c.currency_name) for c in iso4217.Currency if c.exponent is not None]
    execute_values(cursor, "INSERT INTO currencies (code, digits, kind, name) VALUES %s", rows)
