"""Random people do random things over HTTP; after each posting every wallet and payment is what the model says.

The long form (FAULTS=full) has the real gateway and workers post every step.
"""

import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import make_url

import celery_config
from models import invariants
from models.session import transaction
from tests.e2e.machine import Model, Payment, Wallet
from tests.e2e.worlds import Performance, Rehearsal, Reply, World
from tests.support import Database, charge_commission

IS_LONG = os.environ.get("FAULTS") == "full"
EXAMPLES, STEPS = (20, 100) if IS_LONG else (10, 30)
TOGETHER = 3
"""Every so many steps share a posting, where nobody posts at once."""
LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
OWNERS = {"ann": "Ann", "ann's other": "Ann", "bob": "Bob", "till": "Shop", "stall": "Mall"}
"""Wallets by name, and whose they are."""
ROLES = {"Ann": "client", "Bob": "client", "Shop": "merchant", "Mall": "merchant"}

KEPT = """
SELECT jsonb_build_array(id, state, failure_code,
                         CASE WHEN state = 'COMPLETED' THEN coalesce(captured_amount, amount) ELSE 0 END, commission)
FROM payments WHERE user_id IN (SELECT owner_id FROM accounts WHERE token = ANY(%s))
"""
HISTORY = "SELECT o::text FROM operations o"
HOUSE = "SELECT balance::bigint FROM accounts WHERE code = 'commission' AND currency = 'EUR'"
FREEZE = "UPDATE accounts SET is_frozen = %s WHERE token = %s"
EXPIRE = "UPDATE payments SET hold_expires_at = now() WHERE id = %s"
COME_DUE = "UPDATE payments SET due_at = now() WHERE id = %s"

wallets, tills = st.sampled_from(sorted(OWNERS)), st.sampled_from(["stall", "till"])
busy = st.sampled_from(["ann", "bob", "till"])
amounts = st.one_of(st.integers(1, 120), st.integers(1, 150_00))
parts = st.none() | st.integers(1, 100) | st.integers(1, 30_00)


class Order(NamedTuple):
    """A request that moves money, or will: sent again under its key it means the same."""

    token: str
    path: str
    body: dict[str, Any]
    key: str


def euros(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


class Machine(RuleBasedStateMachine):
    """Two clients and two merchants; amounts in cents."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.model = world, Model()
        self.orders: dict[str, Order] = {}
        self.history: set[str] = set()
        self.steps = 0
        self.tokens = {name: world.user(role) for name, role in ROLES.items()}
        self.wallets = {name: Wallet(owner) for name, owner in OWNERS.items()}
        self.addresses = {name: self._wallet(self.tokens[owner]) for name, owner in OWNERS.items()}
        (self.house,) = world.execute(HOUSE)

    def _wallet(self, token: str) -> str:
        return self.world.call(token, "POST", "/v1/wallets", {"currency": "EUR"}).body["token"]

    @initialize()
    def begin(self) -> None:
        """Everybody has 100.00; each merchant has charged 10.00 and holds 20.00."""
        for name in OWNERS:
            self.deposit(name, 100_00)
        self.post()
        for till in ("till", "stall"):
            self.charge("ann", till, 10_00, capture=True)
            self.charge("bob", till, 20_00, capture=False)
        self.post()

    def teardown(self) -> None:
        self.post()

    @rule()
    def post(self) -> None:
        """Post, and compare all there is."""
        open_before = [
            id for id, payment in self.model.payments.items() if payment.state not in ("COMPLETED", "FAILED")
        ]
        self.model.post()
        self.world.post()
        self._compare_wallets()
        for id in open_before:
            self._compare_payment(id, self.model.payments[id])
        kept = self.world.execute(KEPT, list(self.addresses.values()))
        said = [[id, p.state, p.failure, p.moved, p.commission] for id, p in self.model.payments.items()]
        assert sorted(kept, key=str) == sorted(said, key=str)
        assert self.world.execute(HOUSE) == [self.house + self.model.commission]
        history = set(self.world.execute(HISTORY))
        assert self.history <= history, "what is in the books stays in the books"
        self.history = history

    def _compare_wallets(self) -> None:
        for name, wallet in self.wallets.items():
            shown = self.world.call(self.tokens[wallet.owner], "GET", f"/v1/wallets/{self.addresses[name]}").body
            funds = (wallet.balance, wallet.held, wallet.balance - wallet.held)
            assert (name, shown["balance"], shown["held"], shown["available"]) == (name, *map(euros, funds))

    def _compare_payment(self, id: str, payment: Payment) -> None:
        shown = self.world.call(self.orders[id].token, "GET", f"/v1/payments/{id}").body
        failure = shown["failure"] and shown["failure"]["code"]
        assert (id, shown["state"], failure) == (id, payment.state, payment.failure)
        if payment.type == "charge":
            taken = (shown["captured_amount"], shown["refunded_amount"])
            assert (id, *taken) == (id, euros(payment.moved), euros(payment.refunded))

    def _send(self, order: Order) -> Reply:
        return self.world.call(order.token, "POST", order.path, order.body, order.key)

    def _order(
        self, path: str, owner: str, payment: Payment, is_allowed: bool, is_due: bool = True, **body: Any
    ) -> None:
        """Order it; it is kept exactly if that is allowed."""
        order = Order(self.tokens[owner], path, body, secrets.token_hex(8))
        reply = self._send(order)
        assert (reply.status, reply.is_replay) == (202 if is_allowed else 422, False), reply
        if is_allowed:
            id = reply.body["id"]
            self.orders[id], self.model.payments[id] = order, payment
            if is_due:
                self.model.due.append(payment)
        self._after()

    def _after(self) -> None:
        self.steps += 1
        if self.world.posts_by_itself or self.steps % TOGETHER == 0:
            self.post()

    @rule(to=wallets, amount=amounts)
    def deposit(self, to: str, amount: int) -> None:
        wallet = self.wallets[to]
        body = {"wallet": self.addresses[to], "amount": euros(amount), "currency": "EUR", "source": "wire"}
        self._order("/v1/deposits", wallet.owner, Payment("deposit", None, wallet, amount), wallet.is_active, **body)

    @rule(by=wallets, to=wallets, amount=amounts, is_due=st.sampled_from([True, True, False]))
    def transfer(self, by: str, to: str, amount: int, is_due: bool) -> None:
        source, target = self.wallets[by], self.wallets[to]
        body = {"source": self.addresses[by], "target": self.addresses[to], "amount": euros(amount), "currency": "EUR"}
        is_allowed = source is not target and source.is_active and target.is_active
        payment = Payment("transfer", source, target, amount)
        when = {} if is_due else {"scheduled_at": LATER}
        self._order("/v1/transfers", source.owner, payment, is_allowed, is_due, **body, **when)

    @rule(by=wallets, to=tills, amount=amounts, capture=st.booleans())
    def charge(self, by: str, to: str, amount: int, capture: bool) -> None:
        source, target = self.wallets[by], self.wallets[to]
        body = {"wallet": self.addresses[by], "target": self.addresses[to], "amount": euros(amount), "currency": "EUR"}
        is_allowed = source.owner != target.owner and source.is_active and target.is_active
        payment = Payment("charge", source, target, amount, capture)
        self._order("/v1/charges", target.owner, payment, is_allowed, **body, capture=capture)

    def _among(self, data: st.DataObject, type: str, state: str) -> tuple[str, Payment]:
        """One of the payments of that type, most often in that state."""
        among = {id: payment for id, payment in self.model.payments.items() if payment.type == type}
        likely = [id for id, payment in among.items() if payment.state == state]
        ids = likely if likely and data.draw(st.integers(0, 4)) else list(among)
        id = data.draw(st.sampled_from(range(len(ids))).map(ids.__getitem__))
        return id, self.model.payments[id]

    def _has(self, type: str) -> bool:
        return any(payment.type == type for payment in self.model.payments.values())

    @precondition(lambda self: self._has("charge"))
    @rule(data=st.data(), parts=st.lists(parts, min_size=1, max_size=3))
    def refund(self, data: st.DataObject, parts: list[int | None]) -> None:
        id, charge = self._among(data, "charge", "COMPLETED")
        assert charge.source is not None
        for part in parts:
            payment = Payment("refund", charge.target, charge.source, part or charge.refundable, charge=charge)
            body = {"charge": id, "reason": "duplicate", **({"amount": euros(part)} if part else {})}
            self._order("/v1/refunds", charge.target.owner, payment, charge.target.is_active, **body)

    @precondition(lambda self: self._has("charge"))
    @rule(data=st.data(), kind=st.sampled_from(["capture", "capture", "void"]), part=parts, is_late=st.booleans())
    def capture_or_void(self, data: st.DataObject, kind: str, part: int | None, is_late: bool) -> None:
        """In time or late; only in time where a sweep may come in between, and change the answer."""
        id, payment = self._among(data, "charge", "AUTHORIZED")
        if is_late and not self.world.posts_by_itself:
            self._expire(id, payment)
        part = min(part, payment.amount) if part and kind == "capture" else None
        self._end(id, payment, kind, f"/v1/charges/{id}/{kind}", {"amount": euros(part)} if part else {}, part)

    @precondition(lambda self: self._has("transfer"))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id, payment = self._among(data, "transfer", "INITIATED")
        self._end(id, payment, "cancel", f"/v1/payments/{id}/cancel", {})

    def _end(
        self, id: str, payment: Payment, kind: str, path: str, body: dict[str, Any], part: int | None = None
    ) -> None:
        """Of capture, void and cancel the first counts, if the payment can be ended so at all."""
        order = Order(self.orders[id].token, path, body, secrets.token_hex(8))
        reply = self._send(order)
        if payment.state != ("INITIATED" if kind == "cancel" else "AUTHORIZED"):
            assert (reply.status, reply.body["code"]) == (409, "illegal_transition")
        elif payment.is_to_end:
            assert (reply.status, reply.body["code"]) == (409, "ending_ordered")
        else:
            assert (reply.status, reply.is_replay) == (202, False), reply
            payment.is_to_end = True
            self.model.wishes.append((payment, kind, part))
            assert self._send(order).is_replay
        self._after()

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same order again is the same payment, whatever has become of it or its wallets."""
        id = data.draw(st.sampled_from(range(len(self.orders))).map(list(self.orders).__getitem__))
        reply = self._send(self.orders[id])
        assert (reply.status, reply.body["id"], reply.is_replay) == (202, id, True)

    @rule(name=busy)
    def freeze_or_thaw(self, name: str) -> None:
        """One at a time."""
        name = next((name for name, wallet in self.wallets.items() if wallet.is_frozen), name)
        wallet = self.wallets[name]
        wallet.is_frozen = not wallet.is_frozen
        self.world.execute(FREEZE, wallet.is_frozen, self.addresses[name])

    @rule(name=busy)
    def deactivate_or_activate(self, name: str) -> None:
        """One at a time."""
        name = next((name for name, wallet in self.wallets.items() if not wallet.is_active), name)
        wallet = self.wallets[name]
        wallet.is_active = not wallet.is_active
        path, change = f"/v1/wallets/{self.addresses[name]}", {"is_active": wallet.is_active}
        assert self.world.call(self.tokens[wallet.owner], "PATCH", path, change).status == 200

    @precondition(lambda self: self._has("charge"))
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """The time of a hold is over; what was captured before is not touched."""
        id, payment = self._among(data, "charge", "AUTHORIZED")
        self._expire(id, payment)
        self._after()

    def _expire(self, id: str, payment: Payment) -> None:
        if payment.state == "AUTHORIZED" and not payment.has_expired:
            payment.has_expired = True
            self.world.execute(EXPIRE, id)

    @precondition(lambda self: self._has("transfer"))
    @rule(data=st.data())
    def come_due(self, data: st.DataObject) -> None:
        """The time of a scheduled transfer has come."""
        id, payment = self._among(data, "transfer", "INITIATED")
        is_scheduled = "scheduled_at" in self.orders[id].body
        if is_scheduled and payment.state == "INITIATED" and payment not in self.model.due:
            self.model.due.append(payment)
            self.world.execute(COME_DUE, id)
        self._after()


@pytest.fixture
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    """Where every transfer and charge between two owners costs the 2 % that the schema brings."""
    if IS_LONG:
        stack = request.getfixturevalue("stack")
        charge_commission(stack.postgres)
        return Performance(stack)
    monkeypatch.setattr(celery_config, "ring", lambda *_: None)
    database: Database = request.getfixturevalue("database")
    charge_commission(request.getfixturevalue("postgres"), make_url(database.owner).database)
    return Rehearsal(database)


@pytest.mark.timeout(3600 if IS_LONG else 300)
def test_whatever_people_do_the_books_say_what_the_model_says(world: World) -> None:
    checks = hypothesis.settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        phases=[hypothesis.Phase.generate],  # the steps as they were: making them fewer takes longer than reading them
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    run_state_machine_as_test(lambda: Machine(world), settings=checks)
    with transaction(world.owner) as connection:
        assert invariants.violations(connection) == []
