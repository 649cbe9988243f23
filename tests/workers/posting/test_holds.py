"""Holds under kills and races: each is decided once, nothing is lost, and the held amounts add up."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import redis
from uuid_utils.compat import uuid7

from models import payment, payment_command, payment_stuck
from models.audit import Actor
from models.payment_command import NewCommand
from models.rules.retry import ATTEMPTS_MAX, backoff_seconds
from models.rules.types import PaymentAction
from models.session import transaction
from tests.support import PATIENCE_SECONDS, eventually
from tests.workers.books import Books
from tests.workers.posting.held_charges import AMOUNT, FUNDS, HeldCharges
from workers import process, tasks
from workers.posting.batch_point import BatchPoint
from workers.posting.poster import NO_PARTITION_SECONDS

pytestmark = pytest.mark.shares_books

PART = 15_00


class KilledError(BaseException):
    """The death of a poster: nothing catches it, as nothing catches a kill."""


@pytest.fixture
def charges(books: Books) -> HeldCharges:
    return HeldCharges(books)


def die_at(point: BatchPoint) -> Callable[[BatchPoint], None]:
    def hook(reached: BatchPoint) -> None:
        if reached is point:
            raise KilledError

    return hook


@pytest.mark.parametrize("point", BatchPoint)
def test_poster_killed_during_authorization_loses_nothing(
    books: Books, charges: HeldCharges, point: BatchPoint
) -> None:
    id = charges.charge()
    poster = books.poster()
    poster.hook = die_at(point)
    with pytest.raises(KilledError):
        poster.drain()
    is_done = point is BatchPoint.COMMITTED
    assert charges.money == (FUNDS, AMOUNT if is_done else 0, 0)
    assert books.kept(id).state == ("AUTHORIZED" if is_done else "INITIATED")
    books.poster().drain()
    assert charges.money == (FUNDS, AMOUNT, 0)
    assert (books.kept(id).state, books.kept(id).attempts) == ("AUTHORIZED", 0)
    assert books.events(id) == ["payment.initiated", "payment.authorized"]


ENDED = {
    (PaymentAction.CAPTURE, None): ("COMPLETED", (FUNDS - AMOUNT, 0, AMOUNT)),
    (PaymentAction.CAPTURE, PART): ("COMPLETED", (FUNDS - PART, 0, PART)),
    (PaymentAction.VOID, None): ("canceled", (FUNDS, 0, 0)),
    (PaymentAction.EXPIRE, None): ("expired", (FUNDS, 0, 0)),
}


@pytest.mark.parametrize("point", BatchPoint)
@pytest.mark.parametrize("ending", ENDED, ids=str)
def test_poster_killed_while_ending_a_hold_loses_nothing(
    books: Books, charges: HeldCharges, point: BatchPoint, ending: tuple[PaymentAction, int | None]
) -> None:
    id = charges.hold()
    assert charges.end(id, *ending)
    poster = books.poster()
    poster.hook = die_at(point)
    with pytest.raises(KilledError):
        poster.drain()
    state, money = ENDED[ending]
    is_done = point is BatchPoint.COMMITTED
    assert books.outcomes([id]) == [state if is_done else "AUTHORIZED"]
    assert charges.money == (money if is_done else (FUNDS, AMOUNT, 0))
    for _ in range(2):
        books.poster().drain()
    assert books.outcomes([id]) == [state]
    assert charges.money == money
    assert books.kept(id).attempts == 0
    assert len(books.events(id)) == 3
    assert {outcome for _, outcome in charges.outcomes(id)} <= {"done"}


def test_racing_actions_under_two_posters_end_each_hold_once(books: Books, charges: HeldCharges) -> None:
    ids = [charges.hold(amount) for amount in (10_00, 20_00, 30_00)]
    kinds = [
        PaymentAction.CAPTURE,
        PaymentAction.VOID,
        PaymentAction.EXPIRE,
        PaymentAction.VOID,
        PaymentAction.CAPTURE,
    ] * 4
    with ThreadPoolExecutor(8) as pool:
        posting = [pool.submit(books.poster().drain) for _ in range(2)]
        list(pool.map(lambda race: charges.end(*race), [(id, kind) for kind in kinds for id in ids]))
        for drained in posting:
            drained.result()
    books.poster().drain()
    ends = {"capture": "COMPLETED", "void": "canceled"}
    for id, end in zip(ids, books.outcomes(ids), strict=True):
        done = [kind for kind, outcome in charges.outcomes(id) if outcome == "done"]
        assert [ends[kind] for kind in done] == ([] if end == "expired" else [end])
        assert all(outcome for _, outcome in charges.outcomes(id)), "every command is decided"
        assert len(books.events(id)) == 3
    taken = sum(
        amount
        for amount, id in zip((10_00, 20_00, 30_00), ids, strict=True)
        if id in books.decided(charges.merchant_wallet)
    )
    assert charges.money == (FUNDS - taken, 0, taken)


@pytest.mark.parametrize(
    "kinds", [(PaymentAction.CAPTURE, PaymentAction.EXPIRE), (PaymentAction.EXPIRE, PaymentAction.CAPTURE)], ids=str
)
def test_hold_captured_after_its_expiry_is_decided_once(
    books: Books, charges: HeldCharges, kinds: tuple[PaymentAction, PaymentAction]
) -> None:
    id = charges.hold()
    assert all(charges.end(id, kind) for kind in kinds)
    for _ in range(2):
        books.poster().drain()
    assert books.outcomes([id]) == ["expired"]
    assert charges.outcomes(id) == [("capture", "refused")]
    assert charges.money == (FUNDS, 0, 0)
    assert books.events(id) == ["payment.initiated", "payment.authorized", "payment.failed"]


@pytest.mark.parametrize("ending", ENDED, ids=str)
def test_sweep_finds_actions_without_a_bell(
    books: Books,
    charges: HeldCharges,
    bells: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    ending: tuple[PaymentAction, int | None],
) -> None:
    monkeypatch.setattr(process, "engine", lambda: books.worker)
    monkeypatch.setattr(process, "poster", books.poster)
    monkeypatch.setattr(process, "_recorded_at", {})
    id = charges.hold()
    tasks.sweep.apply(throw=True)
    assert bells.llen("payments") == 0, "a hold waits for its merchant"
    charges.end(id, *ending)
    tasks.sweep.apply(throw=True)
    assert bells.llen("payments") == 1
    tasks.post.apply(throw=True)
    state, money = ENDED[ending]
    assert (books.outcomes([id]), charges.money) == ([state], money)
    bells.flushall()
    tasks.sweep.apply(throw=True)
    assert bells.llen("payments") == 0


def drain_until_parked(books: Books, id: str) -> None:
    for attempt in range(books.kept(id).attempts + 1, ATTEMPTS_MAX + 1):
        books.make_due(id)
        books.poster().drain()
        assert (books.kept(id).attempts, books.kept(id).is_parked) == (attempt, attempt == ATTEMPTS_MAX)


def retry(books: Books, id: str) -> None:
    with transaction(books.gateway) as connection:
        actor = Actor(books.user("ops"), str(uuid7()), "192.0.2.7", str(uuid4()))
        assert payment_command.order_retries(connection, [NewCommand(str(uuid7()), id)], actor, "mended") == 1


@pytest.fixture
def parked(books: Books, charges: HeldCharges) -> str:
    """A hold whose capture could not be posted and was set aside; its neighbours were captured and posted."""
    culprit, neighbour = charges.hold(), charges.hold(10_00)
    transfer = books.order("transfer", charges.merchant, charges.merchant_wallet, charges.customer_wallet, 5_00)
    books.poison(culprit)
    for id in (culprit, neighbour):
        assert charges.end(id, PaymentAction.CAPTURE)
    books.poster().drain()
    kept = books.kept(culprit)
    assert (kept.state, kept.attempts, kept.is_parked) == ("AUTHORIZED", 1, False)
    assert 0 < kept.due_in_seconds <= backoff_seconds(1, jitter=0.0)
    assert books.outcomes([neighbour, transfer]) == ["COMPLETED", "COMPLETED"]
    drain_until_parked(books, culprit)
    return culprit


def test_capture_failing_to_post_is_parked_with_money_held(books: Books, charges: HeldCharges, parked: str) -> None:
    assert books.events(parked) == ["payment.initiated", "payment.authorized", "payment.parked"]
    assert charges.money == (FUNDS - 5_00, AMOUNT, 5_00)
    charges.end(parked, PaymentAction.EXPIRE)
    books.make_due(parked)
    books.poster().drain()
    assert (books.kept(parked).state, charges.outcomes(parked)) == ("AUTHORIZED", [("capture", None)])


@pytest.mark.own_books
@pytest.mark.parametrize(("in_time", "state", "outcome"), [(True, "COMPLETED", "done"), (False, "FAILED", "refused")])
def test_parked_capture_is_retried_by_ops(
    books: Books, charges: HeldCharges, parked: str, in_time: bool, state: str, outcome: str
) -> None:
    books.cure()
    if not in_time:
        charges.end(parked, PaymentAction.EXPIRE)
    retry(books, parked)
    books.poster().drain()
    assert books.kept(parked).state == state
    assert charges.outcomes(parked) == [("capture", outcome), ("retry", "done")]
    taken = AMOUNT if in_time else 0
    assert charges.money == (FUNDS - 5_00 - taken, 0, 5_00 + taken)


@pytest.mark.own_books
def test_expiry_failing_to_post_is_parked_and_retried(books: Books, charges: HeldCharges) -> None:
    id = charges.hold()
    books.poison(id)
    charges.end(id, PaymentAction.EXPIRE)
    drain_until_parked(books, id)
    books.cure()
    with transaction(books.worker) as connection:
        assert [row.id for row in payment_stuck.open_among(connection, [id])] == [id]
    retry(books, id)
    books.poster().drain()
    assert (books.outcomes([id]), charges.money) == (["expired"], (FUNDS, 0, 0))


def test_hold_without_an_action_is_not_retried(books: Books, charges: HeldCharges) -> None:
    id = charges.hold()
    retry(books, id)
    books.poster().drain()
    assert (books.kept(id).state, charges.outcomes(id)) == ("AUTHORIZED", [("retry", "refused")])


def test_missing_partition_costs_no_attempt_of_a_command(books: Books, charges: HeldCharges) -> None:
    captured, voided = charges.hold(), charges.hold(10_00)
    canceled = books.order("transfer", charges.merchant, charges.merchant_wallet, charges.customer_wallet, 1_00)
    with books.without_partition():
        for id, kind in (
            (captured, PaymentAction.CAPTURE),
            (voided, PaymentAction.VOID),
            (canceled, PaymentAction.CANCEL),
        ):
            assert charges.end(id, kind)
        assert books.poster().drain(PATIENCE_SECONDS) == (0, False)
        kept = books.kept(captured)
        assert (kept.state, kept.attempts, kept.is_parked) == ("AUTHORIZED", 0, False)
        assert "no partition of relation" in (kept.last_error or "")
        assert NO_PARTITION_SECONDS / 2 < kept.due_in_seconds <= NO_PARTITION_SECONDS
        assert books.outcomes([voided, canceled]) == ["canceled", "canceled"]
    books.make_due(captured)
    books.poster().drain()
    assert (books.outcomes([captured]), charges.outcomes(captured)) == (["COMPLETED"], [("capture", "done")])
    assert charges.money == (FUNDS - AMOUNT, 0, AMOUNT)


def test_payment_waiting_for_a_partition_can_be_canceled(books: Books, charges: HeldCharges) -> None:
    id = books.order("transfer", charges.merchant, charges.merchant_wallet, charges.customer_wallet, 1_00)
    with transaction(books.worker) as connection:
        payment.put_off(connection, id, "NoPartition", NO_PARTITION_SECONDS)
    charges.end(id, PaymentAction.CANCEL)
    books.poster().drain()
    assert (books.outcomes([id]), charges.outcomes(id)) == (["canceled"], [("cancel", "done")])


@pytest.mark.own_books
def test_scheduled_payment_after_failed_cancel_keeps_its_time(books: Books, charges: HeldCharges) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    id = books.order(
        "transfer", charges.merchant, charges.merchant_wallet, charges.customer_wallet, 1_00, scheduled_at=at
    )
    books.poison(id)
    charges.end(id, PaymentAction.CANCEL)
    eventually(lambda: books.poster().drain() and books.kept(id).is_parked)
    assert books.kept(id).due_in_seconds > 3_000
    books.cure()
    retry(books, id)
    books.poster().drain()
    assert (books.outcomes([id]), charges.outcomes(id)) == (["canceled"], [("cancel", "done"), ("retry", "done")])


def test_retry_leaves_a_scheduled_payment_at_its_time(books: Books, charges: HeldCharges) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    id = books.order(
        "transfer", charges.merchant, charges.merchant_wallet, charges.customer_wallet, 1_00, scheduled_at=at
    )
    retry(books, id)
    books.poster().drain()
    assert books.kept(id).state == "INITIATED"
    assert books.kept(id).due_in_seconds > 3_000
