"""Why a payment waits, and what would help: a payment for each cause, in one database."""

from collections.abc import Callable

import pytest
from uuid_utils import uuid7

from models import payment_command, payment_explanation
from models.audit import SHELL
from models.payment_explanation import PaymentExplanation
from models.payment_list import Viewer
from models.rules.types import PaymentAction
from models.rules.waiting import WaitCode
from models.session import Engine, transaction
from tests.builders import Builder
from tests.models.payment_causes import CASES, at_bank, due, held, not_sent, parked_at_bank, tried, wallet_locked
from tests.support import Database

ALIVE = {"posting@here": 1, "rails@here": 1, "beat": 1}


@pytest.fixture(scope="module")
def builder(database: Database) -> Builder:
    return Builder.of(database)


@pytest.fixture
def seen(builder: Builder) -> Callable[..., None]:
    """Workers were seen so many seconds ago, and no others; they received a message then, unless `deaf`."""

    def set_ages(ages: dict[str, int], *, deaf: bool = False) -> None:
        with transaction(builder.owner) as connection:
            connection.exec_driver_sql("DELETE FROM worker_heartbeats")
            for name, age in ages.items():
                connection.exec_driver_sql(
                    "INSERT INTO worker_heartbeats (name, seen_at, heard_at) VALUES"
                    " (%(name)s, now() - make_interval(secs => %(age)s),"
                    " CASE WHEN NOT %(deaf)s THEN now() - make_interval(secs => %(age)s) END)",
                    {"name": name, "age": age, "deaf": deaf},
                )

    set_ages(ALIVE)
    return set_ages


def explained(engine: Engine, id: str, *, broker_is_up: bool = True) -> PaymentExplanation:
    with transaction(engine) as connection:
        found = payment_explanation.of_payment(connection, id, broker_is_up=broker_is_up)
    assert found is not None
    return found


@pytest.mark.parametrize("code", CASES)
def test_cause_is_named_with_what_helps(builder: Builder, seen: Callable[..., None], code: WaitCode) -> None:
    case, detail, command = CASES[code]
    with case(builder) as id:
        for engine in (builder.worker, builder.gateway):
            causes = {cause.code: cause for cause in explained(engine, id).causes}
            assert code in causes, causes
            assert causes[code].detail.startswith(detail)
            assert (causes[code].command or "").startswith(command.replace("ID", id))
            assert causes[code].help


@pytest.mark.parametrize(
    ("ages", "deaf", "broker_is_up", "code", "detail"),
    [
        ({**ALIVE, "posting@here": 70}, False, True, "posting_stale", "No poster has been alive for 70 s."),
        ({}, False, False, "posting_stale", "No poster was seen within the last hour."),
        (ALIVE, False, False, "broker_away", "The broker does not answer"),
        (ALIVE, True, True, "workers_deaf", "The posters are alive, but no message reaches them"),
        ({**ALIVE, "beat": 200}, False, True, "beat_silent", "Beat has been alive for 3 minutes"),
    ],
)
def test_dead_workers_are_named(
    builder: Builder,
    seen: Callable[..., None],
    ages: dict[str, int],
    deaf: bool,
    broker_is_up: bool,
    code: str,
    detail: str,
) -> None:
    seen(ages, deaf=deaf)
    with due(builder) as id:
        first = explained(builder.gateway, id, broker_is_up=broker_is_up).causes[0]
    assert (first.code, first.detail.startswith(detail)) == (code, True), first
    assert code == "beat_silent" or "`flask payments sweep` posts" in first.help


def test_missing_rails_worker_is_named(builder: Builder, seen: Callable[..., None]) -> None:
    seen({"posting@here": 1, "beat": 1})
    for case in (not_sent, at_bank):
        with case(builder) as id:
            assert explained(builder.gateway, id).causes[0].code == WaitCode.RAILS_STALE


def test_order_that_the_poster_has_not_decided_is_named(builder: Builder, seen: Callable[..., None]) -> None:
    with held(builder) as id:
        with transaction(builder.worker) as connection:
            assert payment_command.order_by_ops(connection, PaymentAction.CAPTURE, id, SHELL, "now")
        assert [cause.code for cause in explained(builder.gateway, id).causes] == ["ordered", "due"]
        builder.post_payments()
        final = explained(builder.gateway, id)
    assert (final.causes, final.next_attempt_at) == ([], None)
    assert [entry.step for entry in final.timeline] == ["initiated", "authorized", "capture", "completed"]


def test_parked_payout_is_asked_about_and_not_retried(builder: Builder, seen: Callable[..., None]) -> None:
    with parked_at_bank(builder) as id:
        [cause] = explained(builder.worker, id).causes
    assert (cause.code, cause.command) == (WaitCode.PARKED, f"flask ops ask {id} --reason WHY")


def test_locks_are_shown_as_far_as_the_role_may_see(builder: Builder, seen: Callable[..., None]) -> None:
    with wallet_locked(builder) as id:
        for engine in (builder.owner, builder.gateway):
            [lock] = explained(engine, id).locks
            assert (lock.row, lock.is_poster, lock.pid > 0, bool(lock.role)) == ("source", False, True, True)
            assert (lock.transaction_seconds is None) == (engine is builder.gateway)
    assert explained(builder.owner, id).locks == []
    with due(builder) as id, transaction(builder.worker) as posting:
        posting.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (payment_explanation.POSTING_LOCK,))
        posting.exec_driver_sql("SELECT FROM payments WHERE id = %s FOR NO KEY UPDATE", (id,))
        now = explained(builder.gateway, id)
    assert ([lock.is_poster for lock in now.locks], now.causes[-1].code) == ([True], WaitCode.POSTING)


def test_unknown_payment_is_not_explained(builder: Builder) -> None:
    with transaction(builder.gateway) as connection:
        assert payment_explanation.of_payment(connection, str(uuid7()), broker_is_up=True) is None


def test_body_is_json_for_ops(builder: Builder, seen: Callable[..., None]) -> None:
    with tried(builder) as id:
        body = payment_explanation.body(explained(builder.gateway, id), Viewer(reads_all=True))
    assert (body["payment"], body["last_error"], body["attempts"], body["broker"]) == (id, "poison", 3, "ok")
    assert [worker["name"] for worker in body["workers"]] == ["beat", "posting@here", "rails@here"]
    assert body["next_attempt_at"] > body["explained_at"]
