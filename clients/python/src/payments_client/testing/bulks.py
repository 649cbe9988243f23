"""Bulks of the fake: many payments, decided each for itself or all together; and the bank accounts that pay them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from payments_client.testing.books import FakeWallet, failure_json
from payments_client.testing.money import text
from payments_client.testing.payment import FakePayment
from payments_client.testing.people import User, new_id, now

LINE_TEXTS = ("description", "creditor_reference", "reference", "instruction_id", "end_to_end_id")


@dataclass(eq=False)
class BankAccount:
    """A bank account of an organisation, and the wallet that pays for it."""

    user: User
    name: str
    iban: str
    bic: str | None
    wallet: FakeWallet
    is_active: bool = True
    version: int = 1
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)

    def body(self) -> dict[str, Any]:
        """Its JSON."""
        return {
            "id": self.id,
            "organization_name": self.name,
            "iban": self.iban,
            "bic": self.bic,
            "wallet": self.wallet.token,
            "currency": self.wallet.currency,
            "is_active": self.is_active,
            "created_at": self.created_at.isoformat(),
        }


@dataclass(eq=False)
class FakeBulk:
    """A bulk; its `lines` are payments, `rows` what was given of them."""

    kind: str
    mode: str
    user: User
    currency: str
    is_open: bool
    wallet: FakeWallet
    """The one that pays transfers, or receives charges."""

    bank_account: BankAccount | None = None
    lines: list[FakePayment] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    state: str = "INITIATED"
    failure: str | None = None
    is_decided: bool = False
    version: int = 1
    id: str = field(default_factory=new_id)
    created_at: datetime = field(default_factory=now)
    finalized_at: datetime | None = None

    @property
    def is_atomic(self) -> bool:
        return self.mode == "atomic"

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))

    def promise(self, line: FakePayment) -> str | None:
        """Why this line of an atomic bulk fails; the first one decides all, and has their total held."""
        if not self.is_decided:
            self.is_decided, self.failure = True, line.refusal(self.total)
            self.wallet.held += Decimal(0) if self.failure else self.total
        if not self.failure:
            self.wallet.held -= line.amount
        return self.failure

    def end(self) -> bool:
        """End it with its last line; returns whether that is now."""
        states = {line.state for line in self.lines}
        self.version += 1
        if self.is_open or not states <= {"COMPLETED", "FAILED"} or not states or self.finalized_at:
            return False
        self.state = states.pop() if len(states) == 1 else "PARTIALLY_COMPLETED"
        self.finalized_at = now()
        return True

    def body(self) -> dict[str, Any]:
        """Its JSON."""
        counts = Counter(line.state.lower() for line in self.lines)
        states = ("initiated", "authorized", "completed", "failed")
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "mode": self.mode,
            "is_open": self.is_open,
            "bank_account": self.bank_account.id if self.bank_account else None,
            "total": text(self.total, self.currency),
            "currency": self.currency,
            "counts": {"lines": len(self.lines), **{state: counts[state] for state in states}},
            "failure": failure_json(self.failure),
            "created_at": self.created_at.isoformat(),
            "finalized_at": self.finalized_at.isoformat() if self.finalized_at else None,
        }

    def line_bodies(self) -> list[dict[str, Any]]:
        """The JSON of its lines."""
        return [self._line_body(n, line, row) for n, (line, row) in enumerate(zip(self.lines, self.rows, strict=True))]

    def _line_body(self, number: int, line: FakePayment, row: dict[str, Any]) -> dict[str, Any]:
        other, at = line.wallets[0], line.scheduled_at
        name, end = (line.payee.name, line.payee.iban) if line.payee else (other.owner.name, other.token)
        texts = {name: row.get(name) for name in LINE_TEXTS}
        if self.kind == "charges":
            texts["description"] = row.get("summary")
        return {
            "line": number + 1,
            "payment": line.id,
            "state": line.state,
            "amount": text(line.amount, self.currency),
            "counterparty": {"name": name, "last4": end[-4:]},
            **texts,
            "scheduled_at": at.isoformat() if at else None,
            "failure": failure_json(line.failure),
            "finalized_at": line.finalized_at.isoformat() if line.finalized_at else None,
        }
