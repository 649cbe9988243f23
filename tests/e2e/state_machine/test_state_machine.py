"""Random people do random things over HTTP; after each posting every wallet and payment is what the model says.

The long form (FAULTS=full) has the real gateway and workers post every step.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

import bell
from models import invariants
from models.session import transaction
from tests.broker import ringing_at
from tests.e2e.state_machine.actions import PAYEE, Actions, names, small
from tests.e2e.state_machine.environments import InProcessEnvironment, StackEnvironment, World
from tests.e2e.state_machine.harness import FINAL, WALLETS
from tests.e2e.state_machine.model import User
from tests.support import Database, charge_commission, eventually

IS_LONG = os.environ.get("FAULTS") == "full"
# Hypothesis begins with an example of no steps at all, and counts the beginning of each as a step.
EXAMPLES, STEPS = (20, 101) if IS_LONG else (8, 45)
WRONGS = 4
CUSTOMERS = ["Ann", "Bob", "Shop"]
PERCENT = 2
FREEZE = "UPDATE accounts SET is_frozen = %s WHERE token = %s"

ACTS = {
    "refund": 8, "deposit": 2, "withdraw": 3, "transfer": 5, "charge": 6, "end_charge": 7, "cancel": 2,
    "exchange": 5, "use_quote": 2, "adjust": 2, "bonus": 1, "repeat": 3, "misuse_key": 1, "trespass": 4,
    "freeze_or_thaw": 2, "close_or_open": 4, "dismiss_or_admit": 3, "pass_time": 3, "post": 2,
}  # fmt: skip
"""The acts of users, and how often: by one rule, for Hypothesis leaves some rules out of each run."""


class Machine(Actions):
    """All acts and errors of users."""

    @initialize()
    def begin(self) -> None:
        """Each wallet has 100.00; each merchant has charged 10.00, and 0.75, and holds 20.00."""
        for name in WALLETS:
            self._deposit(name, 100_00, "wire")
        self.post()
        for shop_wallet in ("shop", "mall"):
            self._charge("ann", shop_wallet, 10_00, capture=True)
            self._charge("bob", shop_wallet, 75, capture=True)
            self._charge("bob", shop_wallet, 20_00, capture=False)
        self.post()
        self.is_ready = True

    @rule(data=st.data(), act=st.sampled_from([act for act, times in ACTS.items() for _ in range(times)]))
    def act(self, data: st.DataObject, act: str) -> None:
        self.data = data
        try:
            getattr(self, act)()
        except Exception as error:
            self.world.troubles.append(error)
            raise

    def teardown(self) -> None:
        """All times come, and then everything that was ever accepted is final."""
        self.post()
        for id, payment in self.model.payments.items():
            self.expire(id, payment)
            self.come_due(id, payment)
        self.world.ring()
        self.post()
        assert all(payment.state in FINAL for payment in self.model.payments.values())
        with transaction(self.world.owner) as connection:
            assert invariants.violations(connection) == []

    # Again, and wrongly

    def repeat(self) -> None:
        """The same order again is the same payment, whatever has become of it, its wallets or its quote."""
        order, first = self._one(self.answered)
        reply = self.send(order)
        expected = (first.status, first.body["id"], True) if order.maker.is_active else (403, None, False)
        assert (reply.status, reply.body.get("id"), reply.is_replay) == expected

    def misuse_key(self) -> None:
        order = self._one(self.orders.values())
        reply = self.send(order._replace(body={**order.body, "metadata": {"again": "yes"}}))
        self.is_accepted(reply, order.maker, "idempotency_key_reused")

    def trespass(self) -> None:
        """Requests for others' objects, without the scope, or with an invalid amount are refused and store nothing."""
        name, id = self.data.draw(names), self._one(id for id, p in self.model.payments.items() if p.type == "charge")
        charge, money = self.model.payments[id], self._money(name, self.data.draw(small))
        owner = self._owner(name)
        client = self._one(user for user in self._people("client") if user is not owner)
        merchant = self._one(user for user in self._people("merchant") if user is not owner)
        rival = self._one(user for user in self._people("merchant") if user is not charge.maker)
        stranger, order = self._one([client, merchant]), {key: money[key] for key in ("amount", "currency")}
        sides = {"source": self.addresses[name], "target": self.addresses["mall" if name == "bob" else "bob"]}
        into_another = {"wallet": self.addresses["ann"], "target": self.addresses["shop"], **order}
        bad_amount, flaw = self._one([("0.001", "amount_precision"), ("0.00", "amount_not_positive")])
        wrongs: list[tuple[User, str, dict[str, Any], str]] = [
            (stranger, "/v1/transfers", sides | order, "not_found"),
            (stranger, "/v1/withdrawals", money | PAYEE, "not_found"),
            (stranger, "/v1/deposits", money | {"source": "wire"}, "not_found"),
            (owner, "/v1/withdrawals", money | PAYEE | {"amount": bad_amount}, flaw),
            (self.users["Mall"], "/v1/charges", into_another, "not_found"),
            (client, "/v1/charges", into_another, "scope_missing"),
            (rival, "/v1/refunds", {"charge": id, "reason": "duplicate"}, "not_found"),
            (client, "/v1/refunds", {"charge": id, "reason": "duplicate"}, "scope_missing"),
            (rival, f"/v1/charges/{id}/{self._one(['capture', 'void'])}", {}, "not_found"),
            (client, f"/v1/payments/{id}/cancel", {}, "not_found"),
            (stranger, "/v1/ops/adjustments", {}, "scope_missing"),
        ]
        for quote_id, [quote, *_] in list(self.quotes.items())[-1:]:
            rival = self._one(user for user in self._people("client") if user is not quote.user)
            wrongs.append((rival, "/v1/exchanges", {**sides, "quote": quote_id}, "not_found"))
        for _ in range(WRONGS):
            self.ask(*self._one(wrongs))

    # What people do to wallets, and to each other

    def freeze_or_thaw(self) -> None:
        """One at a time."""
        name = next((name for name, wallet in self.wallets.items() if wallet.is_frozen), self.data.draw(names))
        wallet = self.wallets[name]
        wallet.is_frozen = not wallet.is_frozen
        self.world.execute(FREEZE, wallet.is_frozen, self.addresses[name])

    def close_or_open(self) -> None:
        """One at a time, most often one that something could be given back to."""
        charged = [p.source for p in self.model.payments.values() if p.type == "charge" and p.moved > p.refunded]
        likely = [name for name, wallet in self.wallets.items() if wallet in charged]
        name = next((name for name, wallet in self.wallets.items() if not wallet.is_active), None)
        name = name or self._one(likely if likely and not self._chance(3) else WALLETS)
        wallet, is_active = self.wallets[name], not self.wallets[name].is_active
        reply = self.call(self._owner(name), "PATCH", f"/v1/wallets/{self.addresses[name]}", {"is_active": is_active})
        if self.is_accepted(reply, self._owner(name), None):
            wallet.is_active = is_active

    def dismiss_or_admit(self) -> None:
        """One at a time, and not for long."""
        user = next((user for user in self.users.values() if not user.is_active), self.users[self._one(CUSTOMERS)])
        if user.is_active and not self._chance(3):
            return
        change = {"is_active": not user.is_active, "reason": "A doubt."}
        path = f"/v1/ops/users/{self._user_id(user)}"
        assert self.call(self.users["Kim"], "PATCH", path, change).status == 200
        user.is_active = not user.is_active
        eventually(lambda: (self.call(user, "GET", "/v1/me").status == 200) is user.is_active, message="it is known")


@pytest.fixture(scope="module")
def stack_settings() -> dict[str, str]:
    """A merchant may have a wallet in each currency."""
    return {"MAX_WALLETS_PER_MERCHANT": "0"}


@pytest.fixture(scope="module")
def commission_percent() -> int:
    return PERCENT


@pytest.fixture
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Where every transfer and charge between two owners costs the 2 % that the schema brings."""
    if IS_LONG:
        stack = request.getfixturevalue("stack")
        with ringing_at(stack.valkey, monkeypatch), closing(StackEnvironment(stack)) as world:
            yield world
    else:
        monkeypatch.setattr(bell, "ring", lambda *_: None)
        database: Database = request.getfixturevalue("database")
        charge_commission(request.getfixturevalue("postgres"), database.name, PERCENT)
        with closing(InProcessEnvironment(database)) as world:
            yield world


@pytest.mark.timeout(7200 if IS_LONG else 1800)
def test_whatever_people_do_the_books_say_what_the_model_says(world: World) -> None:
    checks = hypothesis.settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        phases=[hypothesis.Phase.generate],  # the steps as they were: making them fewer takes longer than reading them
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    try:
        run_state_machine_as_test(lambda: Machine(world), settings=checks)
    except hypothesis.errors.Flaky as flaky:
        # It ran again for the report, and what the first run had left in the books made it another.
        raise next(iter(world.troubles), flaky) from None
