"""Backlogs that are posted by lanes, in batches that stay small."""

import random
import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import pytest

from models import account, bank_account, bank_return, bulk, freeze, ledger, payment
from models.audit import SHELL
from models.bank_return import Return
from models.bulk import BulkKind, BulkMode, NewBulk, NewLine
from models.freeze import FreezeTarget
from models.rules.charge_limits import ChargeLimit
from models.session import Connection, transaction
from tests.builders import COUNTERPARTY, new_id, scalar
from tests.workers.books import Books
from workers.posting.poster import Poster

BATCH = 5
WAIT_SECONDS_MAX = 60

Posters = Callable[..., Poster]


def post_all(poster: Poster) -> None:
    """Post until nothing is due, in batches that stay small."""
    batch = poster.batch_limit
    while poster.drain(WAIT_SECONDS_MAX)[1]:
        poster.batch_limit = batch


def source(books: Books, id: str) -> str:
    """The account that the payment comes from."""
    with transaction(books.worker) as connection:
        return str(connection.exec_driver_sql("SELECT source_id FROM payments WHERE id = %s", (id,)).scalar_one())


def in_order(books: Books, ids: list[str]) -> list[str]:
    """Those of the transfers out of one wallet that moved money, in the order in which they did."""
    return [id for id in books.decided(source(books, ids[0])) if id in ids]


def at_first(monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None]) -> list[str]:
    """Call `act` once, before the first call of this function of the ledger; returns the calls."""
    real, calls, turn = getattr(ledger, name), [], threading.Lock()

    def acting(connection: Connection, *arguments: object) -> object:
        with turn:
            calls.append(name)
            if len(calls) == 1:
                act()
        return real(connection, *arguments)

    monkeypatch.setattr(ledger, name, acting)
    return calls


KINDS = {
    "transfer": 8, "charge": 5, "hold": 2, "refund": 3, "payout": 2, "withdrawal": 1, "return": 1, "exchange": 1,
    "expired": 1, "scheduled": 1, "bulk": 1, "atomic": 1, "frozen": 1,
}  # fmt: skip
"""What is ordered, and how often."""

LINES = 3


class Draw(NamedTuple):
    """By whom a payment is ordered, out of which wallet, and its amount."""

    place: int
    owner: str
    wallet: str
    amount: int


class MixedBacklog:
    """Random payments of all kinds among a few wallets, some of which do not pass; the same seed orders the same."""

    def __init__(self, books: Books, seed: int) -> None:
        self.books, self.chance = books, random.Random(seed)
        self.ids: list[str] = []
        self.owners = [books.client(self.chance.randint(10, 40) * 1_00) for _ in range(4)]
        self.dollars = [books.wallet(owner, currency="USD") for owner, _ in self.owners]
        self.frozen_owner, self.frozen_wallet = books.client(10_00)
        self.shop = books.user("merchant")
        self.till = books.wallet(self.shop, 50_00)
        self.bank_account, self.wire, self.outside = new_id(), books.technical("wire"), books.technical("wallet")
        self.withdrawals = [
            books.order("withdrawal", owner, wallet, self.outside, 3_00) for owner, wallet in self.owners
        ]
        books.post_payments()
        self.charges: list[tuple[str, str]] = []
        with transaction(books.gateway) as connection:
            bank_account.register(connection, self.bank_account, self.shop, "Shop", COUNTERPARTY.iban, None, self.till)
        with transaction(books.worker) as connection:
            freeze.freeze(connection, FreezeTarget(self.frozen_wallet), "a test", SHELL)
        self.limit(self.owners[0][1], self.chance.randint(2, 8) * 1_00)

    @property
    def accounts(self) -> list[str]:
        return [*(wallet for _, wallet in self.owners), *self.dollars, self.frozen_wallet, self.till]

    def limit(self, wallet: str, per_day: int) -> None:
        """Limit what merchants charge the wallet on a day."""
        with transaction(self.books.gateway) as connection:
            before = account.wallet_by_id(connection, wallet)
            assert before is not None
            limit = ChargeLimit(None, None, per_day)
            assert account.change_wallet(connection, before._replace(charge_limits=(limit,))) is not None

    def change(self) -> None:
        """Limit a wallet, or freeze or thaw it."""
        [wallet] = self.chance.choices([wallet for _, wallet in self.owners])
        if self.chance.random() < 1 / 2:
            return self.limit(wallet, self.chance.randint(1, 20) * 1_00)
        with transaction(self.books.worker) as connection:
            kept, is_new = freeze.freeze(connection, FreezeTarget(wallet), "a test", SHELL)
            if not is_new:
                freeze.thaw(connection, kept, "a test", SHELL)
        return None

    def order(self, count: int) -> None:
        """Order so many more, each bulk counted as one."""
        for _ in range(count):
            [kind] = self.chance.choices(list(KINDS), list(KINDS.values()))
            place = self.chance.randrange(len(self.owners))
            self.ids += getattr(self, f"_{kind}")(Draw(place, *self.owners[place], self.chance.randint(1, 5) * 1_00))

    def _transfer(self, by: Draw, **members: object) -> list[str]:
        target = self.chance.choice([self.frozen_wallet, *(w for _, w in self.owners if w != by.wallet)])
        return [self.books.order("transfer", by.owner, by.wallet, target, by.amount, **members)]

    def _charge(self, by: Draw, **members: object) -> list[str]:
        id = self.books.order("charge", self.shop, by.wallet, self.till, by.amount, **members)
        self.charges.append((id, by.wallet))
        return [id]

    def _hold(self, by: Draw) -> list[str]:
        return self._charge(by, capture=False)

    def _refund(self, by: Draw) -> list[str]:
        if not self.charges:
            return self._charge(by)
        charge, wallet = self.chance.choice(self.charges)
        return [self.books.order("refund", self.shop, self.till, wallet, by.amount // 2, parent_id=charge)]

    def _payout(self, by: Draw) -> list[str]:
        return [self.books.order("withdrawal", by.owner, by.wallet, self.wire, by.amount)]

    def _withdrawal(self, by: Draw) -> list[str]:
        return [self.books.order("withdrawal", by.owner, by.wallet, self.outside, by.amount)]

    def _return(self, by: Draw) -> list[str]:
        came = Return(new_id(), self.withdrawals[by.place], by.amount // 2)
        with transaction(self.books.worker) as connection:
            bank_return.keep(connection, "sepa", [came])
            assert bank_return.give_back(connection, 1) == 1
            return [str(scalar(connection, "SELECT payment_id FROM returns WHERE bank_id = %s", came.bank_id))]

    def _exchange(self, by: Draw) -> list[str]:
        return [self.books.exchange(by.owner, by.wallet, self.dollars[by.place], by.amount, by.amount * 11 // 10)]

    def _expired(self, by: Draw) -> list[str]:
        return self._transfer(by, expires_at=self._now())

    def _scheduled(self, by: Draw) -> list[str]:
        return self._transfer(by, scheduled_at=self._now())

    def _now(self) -> datetime:
        with transaction(self.books.worker) as connection:
            return payment.clock(connection)

    def _frozen(self, by: Draw) -> list[str]:
        return [self.books.transfer(self.frozen_owner, self.frozen_wallet, by.wallet, by.amount)]

    def _bulk(self, by: Draw) -> list[str]:
        sources = [by.wallet, *(wallet for _, wallet in self.chance.choices(self.owners, k=LINES - 1))]
        head = NewBulk(new_id(), BulkKind.CHARGES, BulkMode.BEST_EFFORT, self.shop, "EUR", target_id=self.till)
        return self._lines(head, [NewLine(new_id(), by.amount, None, source_id=wallet) for wallet in sources])

    def _atomic(self, by: Draw) -> list[str]:
        said = (self.shop, "EUR", self.bank_account, self.till, None, self.wire)
        head = NewBulk(new_id(), BulkKind.TRANSFERS, BulkMode.ATOMIC, *said)
        lines = [NewLine(new_id(), by.amount, None, iban=COUNTERPARTY.iban, name="Bob") for _ in range(LINES)]
        return self._lines(head, lines)

    def _lines(self, head: NewBulk, lines: list[NewLine]) -> list[str]:
        with transaction(self.books.gateway) as connection:
            assert bulk.accept(connection, head, new_id(), bytes(32), lines).lines == len(lines)
        return [line.id for line in lines]

    def outcome(self) -> tuple[list[str], list[list[int]]]:
        """What became of each payment, and in which order they moved the money of each account."""
        places = {id: place for place, id in enumerate(self.ids)}
        moved = [[places[id] for id in self.books.decided(one) if id in places] for one in self.accounts]
        return self.books.outcomes(self.ids), moved


def times_in_disorder(books: Books) -> int:
    """Number of operations that are older than the one before them on their account."""
    with transaction(books.worker) as connection:
        return int(
            connection.exec_driver_sql(
                "SELECT count(*) FROM (SELECT created_at < lag(created_at) OVER (PARTITION BY account_id"
                " ORDER BY account_seq) AS is_older FROM operations) AS steps WHERE is_older"
            ).scalar_one()
        )
