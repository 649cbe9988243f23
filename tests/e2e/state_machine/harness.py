"""The users and wallets of the state machine; each act is sent over HTTP and compared with the model."""

import hashlib
import secrets
from typing import Any, NamedTuple

from hypothesis.stateful import RuleBasedStateMachine
from uuid_utils import compat as uuids

from gateway.http.errors import PROBLEMS
from models import payment as kept_payments
from models.payment import NewPayment
from models.session import transaction
from tests.e2e.state_machine.environments import Reply, World
from tests.e2e.state_machine.model import Account, Model, Payment, User

TOGETHER = 3
"""The number of orders that share a posting, where no worker posts at once."""
ROLES = {"Ann": "client", "Bob": "client", "Shop": "merchant", "Mall": "merchant", "Kim": "ops", "Lee": "ops"}
WALLETS = {
    "ann": ("Ann", "EUR"),
    "ann's other": ("Ann", "EUR"),
    "ann's dollars": ("Ann", "USD"),
    "bob": ("Bob", "EUR"),
    "bob's dollars": ("Bob", "USD"),
    "shop": ("Shop", "EUR"),
    "shop's dollars": ("Shop", "USD"),
    "mall": ("Mall", "EUR"),
}
"""Wallets by name: whose they are, and what they hold."""
FINAL = ("COMPLETED", "FAILED")
ACCEPTED = (200, 201, 202)

KEPT = """
SELECT jsonb_build_array(id, state, failure_code,
                         CASE WHEN state = 'COMPLETED' THEN coalesce(captured_amount, amount) ELSE 0 END, commission,
                         finalized_at IS NOT NULL)
FROM payments
WHERE EXISTS (SELECT FROM accounts a WHERE a.token = ANY(%s) AND a.id IN (source_id, target_id))
"""
FUNDS = "SELECT jsonb_build_array(token, jsonb_build_array(balance, held)) FROM accounts WHERE token = ANY(%s)"
HISTORY = "SELECT o::text FROM operations o WHERE payment_id = ANY(%s::uuid[])"
BOOKS = """
SELECT jsonb_build_array(code, currency, balance, id) FROM accounts
WHERE code IS NOT NULL AND currency IN ('EUR', 'USD')
"""
IDS = "SELECT jsonb_build_array(token, id, owner_id) FROM accounts WHERE token = ANY(%s)"
EXPIRE = "UPDATE payments SET hold_expires_at = now() WHERE id = %s"
COME_DUE = "UPDATE payments SET due_at = now() WHERE id = %s"


class Order(NamedTuple):
    """A request that moves money, or will; sent again under its key it means the same."""

    maker: User
    path: str
    body: dict[str, Any]
    key: str


def decimal(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02}"


class PaymentMachine(RuleBasedStateMachine):
    """Two clients, two merchants and two of ops; amounts in cents."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.orders: dict[str, Order] = {}
        self.answered: list[tuple[Order, Reply]] = []
        self.history: set[str] = set()
        self.shown: dict[str, tuple[int, int]] = {}
        self.steps = 0
        self.is_ready = False
        self.users = {name: User(name) for name in ROLES}
        self.tokens = dict(zip(self.users.values(), world.users(list(ROLES.values())), strict=True))
        self.wallets = {name: Account(currency, self.users[owner]) for name, (owner, currency) in WALLETS.items()}
        self.addresses = {name: self._open(wallet) for name, wallet in self.wallets.items()}
        ids = {token: ids for token, *ids in self.world.execute(IDS, list(self.addresses.values()))}
        self.ids = {name: ids[address] for name, address in self.addresses.items()}
        books = self.world.execute(BOOKS)
        self.our_ids = {(code, currency): id for code, currency, _, id in books}
        self.model = Model({(code, currency): Account(currency, balance=has) for code, currency, has, _ in books})

    def call(self, user: User, method: str, path: str, body: Any = None, key: str | None = None) -> Reply:
        return self.world.call(self.tokens[user], method, path, body, key)

    def _open(self, wallet: Account) -> str:
        assert wallet.owner is not None
        return self.call(wallet.owner, "POST", "/v1/wallets", {"currency": wallet.currency}).body["token"]

    def post(self) -> None:
        """Post, and compare all there is."""
        open_before = {id: payment for id, payment in self.model.payments.items() if payment.state not in FINAL}
        self.model.post()
        self.world.post()
        funds = {self.addresses[name]: [wallet.balance, wallet.held] for name, wallet in self.wallets.items()}
        assert funds == dict(self.world.execute(FUNDS, list(funds)))
        for name, wallet in self.wallets.items():
            if self.shown.get(name) != (wallet.balance, wallet.held):
                self._compare_wallet(name, wallet)
        for id, payment in open_before.items():
            self._compare_payment(id, payment)
        kept = self.world.execute(KEPT, list(self.addresses.values()))
        said = [
            [id, p.state, p.failure, p.moved, p.commission, p.state in FINAL] for id, p in self.model.payments.items()
        ]
        assert sorted(kept, key=str) == sorted(said, key=str)
        books = {(code, currency): balance for code, currency, balance, _ in self.world.execute(BOOKS)}
        assert books == {name: account.balance for name, account in self.model.technical.items()}
        history = set(self.world.execute(HISTORY, list(self.model.payments)))
        assert self.history <= history, "what is in the books stays in the books"
        self.history = history

    def _viewer(self, user: User) -> User:
        """The user, or an operator if the user may not look."""
        return user if user.is_active else self.users["Kim"]

    def _compare_wallet(self, name: str, wallet: Account) -> None:
        assert wallet.owner is not None
        shown = self.call(self._viewer(wallet.owner), "GET", f"/v1/wallets/{self.addresses[name]}").body
        funds = (wallet.balance, wallet.held, wallet.balance - wallet.held)
        assert (name, shown["balance"], shown["held"], shown["available"]) == (name, *map(decimal, funds))
        self.shown[name] = funds[:2]

    def _compare_payment(self, id: str, payment: Payment) -> None:
        shown = self.call(self._viewer(payment.maker), "GET", f"/v1/payments/{id}").body
        failure = shown["failure"] and shown["failure"]["code"]
        assert (id, shown["state"], failure) == (id, payment.state, payment.failure)
        if payment.type == "charge":
            taken = (shown["captured_amount"], shown["refunded_amount"])
            assert (id, *taken) == (id, decimal(payment.moved), decimal(payment.refunded))

    def send(self, order: Order) -> Reply:
        return self.call(order.maker, "POST", order.path, order.body, order.key)

    def is_accepted(self, reply: Reply, maker: User, refusal: str | None) -> bool:
        """True if the order was accepted; it must be, exactly if there is no refusal."""
        refusal = refusal if maker.is_active else "user_inactive"
        expected = (PROBLEMS[refusal].status,) if refusal else ACCEPTED
        assert reply.status in expected and (reply.body.get("code"), reply.is_replay) == (refusal, False), reply
        return refusal is None

    def ask(self, maker: User, path: str, body: dict[str, Any], refusal: str | None) -> Order | None:
        """Send an order that is new; itself if it was accepted."""
        order = Order(maker, path, body, secrets.token_hex(8))
        reply = self.send(order)
        if not self.is_accepted(reply, maker, refusal):
            return None
        self.answered.append((order, reply))
        return order

    def order(self, path: str, payment: Payment, refusal: str | None, **body: Any) -> bool:
        """Order a payment; it is stored exactly if there is no refusal."""
        order = self.ask(payment.maker, path, body, refusal)
        if order is not None:
            id = self.answered[-1][1].body["id"]
            self.orders[id] = order
            self.keep(id, payment)
        self.after()
        return order is not None

    def keep(self, id: str, payment: Payment) -> None:
        self.model.payments[id] = payment
        if not payment.is_scheduled:
            self.model.due.append(payment)

    def after(self) -> None:
        """Post now, unless more orders are to share the posting."""
        self.steps += 1
        if self.is_ready and (self.world.posts_by_itself or self.steps % TOGETHER == 0):
            self.post()

    def pay_bonus(self, name: str, amount: int) -> Payment:
        """As workers do, who alone may."""
        wallet, (target_id, owner_id) = self.wallets[name], self.ids[name]
        assert wallet.owner is not None
        id, key, source = str(uuids.uuid7()), f"bonus {secrets.token_hex(8)}", ("internal", wallet.currency)
        sides, print_ = (self.our_ids[source], target_id), hashlib.sha256(key.encode()).digest()
        with transaction(self.world.worker) as connection:
            kept_payments.accept(
                connection, [NewPayment(id, "bonus", owner_id, *sides, amount, wallet.currency, key, print_)]
            )
        self.keep(id, payment := Payment("bonus", wallet.owner, self.model.technical[source], wallet, amount))
        return payment

    def expire(self, id: str, payment: Payment) -> None:
        """The time of a hold is over; what was captured before is not touched."""
        if payment.state == "AUTHORIZED" and not payment.has_expired:
            payment.has_expired = True
            self.world.execute(EXPIRE, id)

    def come_due(self, id: str, payment: Payment) -> None:
        """The time of a scheduled payment has come."""
        if payment.state == "INITIATED" and payment.is_scheduled:
            payment.is_scheduled = False
            self.model.due.append(payment)
            self.world.execute(COME_DUE, id)
