"""A written history is what the product would have written: the auditor finds its books and its chain in order."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from bench import history, history_chain, world
from models import ledger_batch, verification
from models.session import transaction
from models.user import Role
from tests.builders import Builder
from tests.support import Database, engine_of
from workers import auditor

ACCOUNTS, PAYMENTS = 4, 200
CHUNK = 66
"""Within a round, so that some accounts were credited and not yet debited."""

SPANS = {"one a millisecond": None, "over months": timedelta(days=70)}


@pytest.fixture
def written(
    fresh_database: Database, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """A database with a history over that span."""
    monkeypatch.setattr(history, "CHUNK", CHUNK)
    owner = engine_of(fresh_database.owner)
    history_chain.begin(owner)
    builder = Builder.of(fresh_database)
    with transaction(builder.worker) as connection:
        ops = world.newcomer(connection, "ops", Role.OPS)
        clients = [world.newcomer(connection, f"client{number}", Role.CLIENT) for number in range(2)]
    people = world.make(builder.gateway, clients, ops, ACCOUNTS)
    world.submit(builder.gateway, people.deposits())
    builder.post_payments()
    history.write(owner, people, PAYMENTS, request.param, with_failures=True)
    yield builder.worker
    owner.dispose()


@pytest.mark.parametrize("written", SPANS.values(), ids=SPANS, indirect=True)
def test_a_written_history_has_no_breach(written: Engine) -> None:
    found = auditor.run_full(written, lambda *_: None)
    assert found.found == []
    assert found.payments == ACCOUNTS + 1 + PAYMENTS
    assert found.batches > PAYMENTS / history.LINGER_MS
    with transaction(written) as connection:
        connection.execute(FROM_THE_BEGINNING)
    assert auditor.run(written, seconds=60).found == []
    with transaction(written) as connection:
        assert verification.position(connection).batch == ledger_batch.newest(connection)


FROM_THE_BEGINNING = text("""
    UPDATE verification_positions v SET xact = '0', sequence = 0, batch = 0, batch_hash = b.hash
    FROM ledger_batches b WHERE b.number = 0
""")
