"""What was posted before there were batches is the beginning of the chain, whose hash covers it."""

from sqlalchemy import make_url

from embedded.postgres import Postgres
from models import ledger_batch
from tests.builders import Builder
from tests.migrations.catalogue import catalogue, post_payments
from tests.support import Database, migrate, past_the_triggers
from workers import auditor

EARLIER = "UPDATE operations SET created_at = created_at - interval '1 us' WHERE line = 0"


def test_chain_begins_with_what_was_posted_before(postgres: Postgres, empty_database: Database) -> None:
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0014")
    before = catalogue(world)
    migrate(empty_database.owner)
    post_payments(world)
    migrate(empty_database.owner, "0015-1")
    assert catalogue(world) == before
    migrate(empty_database.owner)
    assert auditor.run(world.worker, 600).found == []
    assert auditor.run_full(world.worker, lambda *_: None).found == []
    past_the_triggers(postgres, make_url(empty_database.owner).database or "", EARLIER)
    found = auditor.run_full(world.worker, lambda *_: None).found
    assert [(one.invariant, one.subject) for one in found] == [(ledger_batch.BEGINNING, "batch 0")]
    post_payments(world)
    assert auditor.run(world.worker, 600).found == []
