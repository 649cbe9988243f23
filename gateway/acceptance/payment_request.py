"""A payment as requested, before it is stored: its parties, and whether the user may use them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from gateway.acceptance.reference_data import ReferenceData
from gateway.http.errors import ApiError, invalid
from models import account
from models.account import Party
from models.payment import NewPayment
from models.payment_view import ConvertedAmount
from models.payout import Counterparty
from models.rules.exchange import rate_text
from models.rules.types import PaymentType
from models.session import Connection


class PaymentRequest(NamedTuple):
    """A payment as asked for: wallets by token, amount in minor units.

    `source` of a deposit and `target` of a withdrawal are codes of technical accounts; `target` of a charge is
    optional.
    `objection` is an error that does not apply to a replay; `into_any` lets a deposit go to a wallet of another user.
    """

    id: str
    type: PaymentType
    user_id: str
    source: str
    target: str | None
    amount: int
    currency: str
    digits: int
    key: str
    fingerprint: bytes
    summary: str | None = None
    reference: str | None = None
    metadata: dict[str, object] | None = None
    objection: ApiError | None = None
    into_any: bool = False
    capture: bool = True
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    parent: str | None = None
    reason: str | None = None
    quote_id: str | None = None
    arrival: ConvertedAmount | None = None
    counterparty: Counterparty | None = None

    @property
    def arrives_in(self) -> str:
        """The currency that the target receives."""
        return self.arrival.currency if self.arrival else self.currency

    @property
    def comes_alone(self) -> bool:
        """True if more than the payment is stored, such as a reference, which only one payment may have."""
        return self.reference is not None or self.quote_id is not None or self.counterparty is not None

    @property
    def claim(self) -> tuple[str, str]:
        """The user and their idempotency key."""
        return self.user_id, self.key

    def wish(self, source: Party, target: Party) -> NewPayment:
        """The row to store, with the accounts that were found."""
        return NewPayment(
            self.id, self.type.value, self.user_id, source.id, target.id, self.amount, self.currency,
            self.key, self.fingerprint, self.summary, self.reference,
            self.metadata, self.capture, self.scheduled_at, self.expires_at, self.parent, self.reason,
            self.quote_id, *((a.amount, a.currency, rate_text(a.rate)) if (a := self.arrival) else ()),
        )  # fmt: skip


class Parties(NamedTuple):
    """The accounts that a group of requests needs."""

    by_token: Mapping[str, Party]
    oldest: Mapping[tuple[str, str], Party]
    reference_data: ReferenceData


def find_parties(connection: Connection, orders: Sequence[PaymentRequest], reference_data: ReferenceData) -> Parties:
    """The accounts of all requests: one statement for the tokens, one more if a charge names no target."""
    tokens = {order.target for order in orders if order.target and order.type is not PaymentType.WITHDRAWAL}
    tokens.update(order.source for order in orders if order.type is not PaymentType.DEPOSIT)
    open_ended = {(order.user_id, order.currency) for order in orders if order.target is None}
    return Parties(
        account.parties_by_token(connection, tokens),
        account.oldest_wallets(connection, open_ended) if open_ended else {},
        reference_data,
    )


def resolve(order: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    """Source and target of the request; raises ApiError."""
    if order.objection is not None:
        raise order.objection
    source, target = _RESOLVE[order.type](order, parties)
    if source.id == target.id:
        raise invalid([("/target", "same_source_and_target", "Source and target are the same wallet.")])
    for name, party, currency in (("source", source, order.currency), ("target", target, order.arrives_in)):
        if party.currency != currency:
            mismatched = "/currency" if order.arrival is None else f"/{name}"
            raise invalid([(mismatched, "currency_mismatch", f"The {name} does not hold {currency}.")])
    for pointer, party in zip(_POINTERS[order.type], (source, target), strict=True):
        if pointer is not None and not party.is_active:
            raise invalid([(pointer, "account_inactive", "This wallet or its owner is inactive.")])
    return source, target


def _deposit(order: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    target = _known(parties, order.target, "/wallet")
    if target.owner_id != order.user_id and not order.into_any:
        raise _unknown("/wallet")
    return parties.reference_data.technical(order.source, order.currency), target


def _withdrawal(order: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    source = _known(parties, order.source, "/wallet")
    if source.owner_id != order.user_id:
        raise _unknown("/wallet")
    return source, parties.reference_data.technical(order.target or "", order.currency)


def _transfer(order: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    source = _known(parties, order.source, "/source")
    if source.owner_id != order.user_id:
        raise _unknown("/source")
    return source, _known(parties, order.target, "/target")


def _exchange(order: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    source, target = _transfer(order, parties)
    if target.owner_id != order.user_id:
        raise _unknown("/target")
    return source, target


def _charge(order: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    source = _known(parties, order.source, "/wallet")
    if source.owner_id == order.user_id:
        raise invalid([("/wallet", "own_wallet", "A merchant cannot charge a wallet of their own.")])
    if order.target is None:
        target = parties.oldest.get((order.user_id, order.currency))
        if target is None:
            raise invalid([("/target", "target_missing", f"You have no active {order.currency} wallet.")])
        return source, target
    target = _known(parties, order.target, "/target")
    if target.owner_id != order.user_id:
        raise _unknown("/target")
    return source, target


def _refund(order: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    return _known(parties, order.source, "/charge"), _known(parties, order.target, "/charge")


_POINTERS: dict[PaymentType, tuple[str | None, str | None]] = {
    PaymentType.DEPOSIT: ("/source", "/wallet"),
    PaymentType.WITHDRAWAL: ("/wallet", "/target"),
    PaymentType.TRANSFER: ("/source", "/target"),
    PaymentType.EXCHANGE: ("/source", "/target"),
    PaymentType.CHARGE: ("/wallet", "/target"),
    PaymentType.REFUND: ("/charge", None),
}
"""The members of a request that name source and target; None is never checked: refunds may go to inactive wallets."""

_RESOLVE = {
    PaymentType.DEPOSIT: _deposit,
    PaymentType.WITHDRAWAL: _withdrawal,
    PaymentType.TRANSFER: _transfer,
    PaymentType.EXCHANGE: _exchange,
    PaymentType.CHARGE: _charge,
    PaymentType.REFUND: _refund,
}


def _known(parties: Parties, token: str | None, pointer: str) -> Party:
    party = parties.by_token.get(token or "")
    if party is None:
        raise _unknown(pointer)
    return party


def _unknown(pointer: str) -> ApiError:
    return invalid([(pointer, "not_found", "There is no such wallet that you may use.")])
