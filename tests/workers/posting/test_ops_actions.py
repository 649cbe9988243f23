"""Actions of ops users carried out by the poster: once, under lock, and only on what is ours alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import bank_return, payment_action, payment_command, payment_stuck, payout
from models.audit import SHELL, Actor
from models.bank_return import Return
from models.payout import FinalAnswer
from models.rules.ops_actions import OpsAction, Refusal
from models.rules.types import PaymentAction
from models.session import Engine, transaction
from tests.workers.books import Books
from tests.workers.posting.held_charges import AMOUNT, FUNDS, HeldCharges

pytestmark = pytest.mark.shares_books

AT_ONCE = 20


@pytest.fixture
def ops(books: Books) -> Actor:
    return Actor(books.user("ops"))


@pytest.fixture
def charges(books: Books) -> HeldCharges:
    return HeldCharges(books)


def order(
    books: Books,
    actor: Actor,
    action: OpsAction,
    id: str,
    amount: int | None = None,
    engine: Engine | None = None,
) -> Refusal | None:
    with transaction(engine or (books.worker if actor == SHELL else books.gateway)) as connection:
        return payment_action.order(connection, action, id, actor, "mended by hand", amount)


def outcomes(books: Books, id: str) -> list[tuple[object, object]]:
    with transaction(books.worker) as connection:
        return [(command["kind"], command["outcome"]) for command in payment_command.about(connection, id)]


def audited(books: Books, id: str) -> list[tuple[str, str, str]]:
    with transaction(books.worker) as connection:
        rows = connection.exec_driver_sql(
            "SELECT action, actor, reason FROM audit_log WHERE target = %s ORDER BY id", (id,)
        )
        return [tuple(row) for row in rows]


def withdrawal(books: Books, *, posted: bool = True) -> str:
    client, wallet = books.client(50_00)
    id = books.order("withdrawal", client, wallet, books.technical("wire"), 10_00)
    if posted:
        books.poster().drain()
        assert books.kept(id).state == "AUTHORIZED"
    return id


@pytest.mark.parametrize(
    ("action", "code"), [(OpsAction.CANCEL, "canceled_by_ops"), (OpsAction.FAIL, "system_failure")]
)
@pytest.mark.parametrize("who", ["ops", "shell"])
def test_parked_payment_is_ended(books: Books, ops: Actor, action: OpsAction, code: str, who: str) -> None:
    actor = ops if who == "ops" else SHELL
    alice, source = books.client(10_00)
    id = books.order("transfer", alice, source, books.client()[1], 4_00)
    books.park(id)
    assert order(books, actor, action, id) is None
    books.poster().drain()
    assert (books.kept(id).failure_code, books.kept(id).is_parked, books.balance(source)) == (code, False, 10_00)
    assert outcomes(books, id) == [(action.value, "done")]
    assert audited(books, id) == [(f"payments.{action}", actor.name, "mended by hand")]
    assert order(books, actor, action, id) is Refusal.FINAL


def test_hold_is_captured_in_part_and_voided_by_ops(books: Books, ops: Actor, charges: HeldCharges) -> None:
    captured, voided, failed = charges.hold(30_00), charges.hold(20_00), charges.hold(10_00)
    assert order(books, ops, OpsAction.CAPTURE, captured, 25_00) is None
    assert order(books, ops, OpsAction.VOID, voided) is None
    assert order(books, SHELL, OpsAction.FAIL, failed) is None
    books.poster().drain()
    assert books.outcomes([captured, voided, failed]) == ["COMPLETED", "canceled_by_ops", "system_failure"]
    assert charges.money == (FUNDS - 25_00, 0, 25_00)


def test_merchant_and_twenty_operators_at_once_end_a_hold_once(books: Books, charges: HeldCharges) -> None:
    id, together = charges.hold(), threading.Barrier(AT_ONCE)
    people = [Actor(books.user("ops")) for _ in range(AT_ONCE - 1)]

    def race(number: int) -> object:
        together.wait()
        if number == AT_ONCE - 1:
            return None if charges.end(id, PaymentAction.CAPTURE) else Refusal.ORDERED
        action = (OpsAction.CAPTURE, OpsAction.VOID, OpsAction.FAIL)[number % 3]
        return order(books, people[number], action, id)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(race, range(AT_ONCE)))
    assert sorted(map(str, answers)) == ["None", *[Refusal.ORDERED.value] * (AT_ONCE - 1)]
    books.poster().drain()
    assert [outcome for _, outcome in outcomes(books, id)] == ["done"]
    assert charges.money in [(FUNDS, 0, 0), (FUNDS - AMOUNT, 0, AMOUNT)]


def test_one_operator_ordering_twenty_times_is_noted_once(books: Books, ops: Actor, charges: HeldCharges) -> None:
    id, together = charges.hold(), threading.Barrier(AT_ONCE)

    def race(_: int) -> Refusal | None:
        together.wait()
        return order(books, ops, OpsAction.VOID, id)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(race, range(AT_ONCE))) == {None}
    assert len(audited(books, id)) == 1
    books.poster().drain()
    assert charges.money == (FUNDS, 0, 0)


def test_unsent_withdrawal_is_failed_and_never_sent(books: Books, ops: Actor) -> None:
    id = withdrawal(books)
    assert order(books, ops, OpsAction.FAIL, id) is None
    books.poster().drain()
    assert books.kept(id).failure_code == "system_failure"
    with transaction(books.worker) as connection:
        assert payout.claim(connection, "script", 10, 1.0) == []


def test_withdrawal_sent_after_the_order_is_not_failed(books: Books, ops: Actor) -> None:
    id = withdrawal(books)
    assert order(books, ops, OpsAction.FAIL, id) is None
    with transaction(books.worker) as connection:
        assert [one.payment_id for one in payout.claim(connection, "script", 10, 60.0)] == [id]
    books.poster().drain()
    assert (books.kept(id).state, outcomes(books, id)) == ("AUTHORIZED", [("fail", "refused")])
    assert order(books, ops, OpsAction.FAIL, id) is Refusal.OUTSIDE
    with transaction(books.worker) as connection:
        assert payout.store_answers(connection, [FinalAnswer(id, is_confirmed=True)]) == {id}
    books.poster().drain()
    assert books.kept(id).state == "COMPLETED"


def test_sending_and_failing_at_once_have_one_effect(books: Books, ops: Actor) -> None:
    ids = [withdrawal(books) for _ in range(8)]
    for id in ids:
        assert order(books, ops, OpsAction.FAIL, id) is None
    together, sent = threading.Barrier(2), set()

    def send() -> None:
        together.wait()
        for _ in ids:
            with transaction(books.worker) as connection:
                sent.update(one.payment_id for one in payout.claim(connection, "script", 1, 60.0))

    def post() -> None:
        together.wait()
        books.poster().drain()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(send), pool.submit(post)]:
            done.result()
    books.poster().drain()
    failed = {id for id in ids if books.kept(id).failure_code == "system_failure"}
    assert failed | sent == set(ids)
    assert failed & sent == set()


def test_action_that_cannot_be_carried_out_is_refused(books: Books, ops: Actor, charges: HeldCharges) -> None:
    id = charges.hold()
    books.poison(id)
    assert order(books, ops, OpsAction.VOID, id) is None
    books.poster().drain()
    assert (books.kept(id).state, outcomes(books, id)) == ("AUTHORIZED", [("void", "refused")])
    books.cure()
    assert order(books, ops, OpsAction.VOID, id) is None
    books.poster().drain()
    assert books.kept(id).failure_code == "canceled_by_ops"


def test_hold_that_expired_meanwhile_expires(books: Books, ops: Actor, charges: HeldCharges) -> None:
    id = charges.hold()
    assert order(books, ops, OpsAction.CAPTURE, id) is None
    charges.end(id, PaymentAction.EXPIRE)
    books.poster().drain()
    assert (books.kept(id).failure_code, outcomes(books, id)) == ("expired", [("capture", "refused")])


def test_retry_and_failure_of_a_parked_payment_have_one_effect(books: Books, ops: Actor) -> None:
    alice, source = books.client(10_00)
    id = books.order("transfer", alice, source, books.client()[1], 4_00)
    books.park(id)
    with transaction(books.worker) as connection:
        payment_stuck.reset_for_retry(connection, [id])
    assert order(books, ops, OpsAction.FAIL, id) is None
    books.poster().drain()
    assert (books.kept(id).failure_code, books.balance(source)) == ("system_failure", 10_00)


def test_return_cannot_be_canceled_by_anyone(books: Books, ops: Actor) -> None:
    id = withdrawal(books)
    with transaction(books.worker) as connection:
        payout.claim(connection, "script", 1, 60.0)
        payout.store_answers(connection, [FinalAnswer(id, is_confirmed=True)])
    books.poster().drain()
    with transaction(books.worker) as connection:
        bank_return.keep(connection, "script", [Return("R 1", id, 10_00, None)])
        assert bank_return.give_back(connection, 1) == 1
        given_back, user = connection.exec_driver_sql(
            "SELECT id::text, user_id::text FROM payments WHERE parent_id = %s", (id,)
        ).one()
    assert order(books, ops, OpsAction.FAIL, given_back) is Refusal.OUTSIDE
    with transaction(books.gateway) as connection:
        payment_command.order_action(connection, id, PaymentAction.CANCEL, given_back, None, Actor(user))
    books.poster().drain()
    assert books.kept(given_back).state == "COMPLETED"
