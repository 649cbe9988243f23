"""The schema that migrations made, read from the catalogues of PostgreSQL, and payments to try it with."""

from sqlalchemy import text

from models import invariants
from models.session import transaction
from tests.builders import Builder

CATALOGUE = {
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               attacl::text
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND relkind IN ('r', 'p') AND NOT attisdropped""",
    "tables": "SELECT relname, relkind, relacl::text, pg_get_expr(relpartbound, oid) FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
    "triggers": "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname, prosrc, prosecdef, proconfig::text, proacl::text FROM pg_proc "
    "WHERE pronamespace = 'public'::regnamespace AND proowner = 'payments_owner'::regrole",
}


def catalogue(world: Builder) -> dict[str, list]:
    """Tables, columns, constraints, triggers and functions, as PostgreSQL describes them."""
    with world.owner.connect() as connection:
        return {what: sorted(map(repr, connection.execute(text(query)))) for what, query in CATALOGUE.items()}


def post_payments(world: Builder) -> None:
    """Make users, wallets, and payments that complete, fail and stay open."""
    ann, bob = world.user(), world.user()
    rich, poor = world.wallet(ann, funds=1000), world.wallet(bob)
    done, failed = world.transfer(ann, rich, poor, 700), world.transfer(ann, rich, poor, 700)
    assert world.post_payments() == 2
    assert (world.state(done), world.state(failed)) == ("COMPLETED", "FAILED")
    assert (world.balance(rich), world.balance(poor)) == (300, 686), "two percent are commission"
    world.park(world.transfer(ann, rich, poor, 1))
    world.transfer(ann, rich, poor, 1)
    with transaction(world.worker) as connection:
        assert invariants.violations(connection) == []
