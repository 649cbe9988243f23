"""Every invariant of the books, broken directly in SQL under each role: what must stop it, by name."""

import pytest
from sqlalchemy.exc import DBAPIError

from tests.models.breaks import BREAKS, DENIED, NO_BREAK
from tests.models.world import World, new_id, scalar


@pytest.fixture(scope="module")
def names(shared_world: World) -> dict[str, str]:
    """Ids of what the statements speak of."""
    ann, bob, shop = (shared_world.user(name=name) for name in ("Ann", "Bob", "Shop"))
    rich, poor, capped = (shared_world.wallet(ann, funds=1000), shared_world.wallet(bob), shared_world.wallet(bob))
    done = shared_world.transfer(ann, rich, poor, 10)
    shared_world.post()
    still_open = shared_world.transfer(ann, rich, poor, 10)
    with shared_world.owner.begin() as connection:
        connection.exec_driver_sql("UPDATE accounts SET ceiling = 5000 WHERE id = %s", (capped,))
        connection.exec_driver_sql("INSERT INTO payment_references VALUES (%s, 'A-1', %s)", (shop, done))
        connection.exec_driver_sql("INSERT INTO audit_log (actor, action, target) VALUES ('ops', 'look', 'books')")
        part = scalar(
            connection, "SELECT replace(tableoid::regclass::text, 'payments', '') FROM payments WHERE id = %s", done
        )
    return {
        **{
            "ann": ann,
            "shop": shop,
            "rich": rich,
            "poor": poor,
            "capped": capped,
            "wire": shared_world.technical("wire"),
        },
        **{"done": done, "open": still_open, "new": new_id(), "p": f"payments{part}", "o": f"operations{part}"},
    }


def stopper(connection, sql: str, names: dict[str, str]) -> str | None:
    """What stopped the statement; None if nothing did."""
    try:
        connection.exec_driver_sql(sql, names)
    except DBAPIError as error:
        if error.orig.pgcode == "42501":
            return DENIED
        return error.orig.diag.constraint_name or type(error.orig).__name__
    return NO_BREAK


COLUMNS = {"audit_log": "actor", "idempotency_keys": "key", "payment_references": "reference", "payment_events": "name"}


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
@pytest.mark.parametrize("what", list(BREAKS))
def test_what_stops_it(shared_world, names, what, role):
    attempt = BREAKS[what]
    column = COLUMNS.get(what.split()[-1], "line")
    partitions = {"p": names["p"], "o": names["o"], "column": column}
    expected = getattr(attempt, role)
    with getattr(shared_world, role).connect() as connection:
        stopped_by = stopper(connection, attempt.sql.format(**partitions), names)
    assert stopped_by == (expected and expected.format(**partitions))
