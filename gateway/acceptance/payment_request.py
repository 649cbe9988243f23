"""A payment as requested, before it is stored: its wallets, and whether the user may use them."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gateway.acceptance.reference_data import ReferenceData
from gateway.http.errors import ApiError, invalid
from models import account
from models.account import Party
from models.payment import NewPayment
from models.payment_view import ConvertedAmount, PaymentView
from models.payout import Counterparty
from models.rules.types import PaymentType
from models.session import Connection


class PaymentRequest(NamedTuple):
    """A payment to be stored, without its accounts yet: `source` and `target` are tokens of wallets.

    `source` of a deposit and `target` of a withdrawal are codes of technical accounts; `target` of a charge is
    optional. `digits` are those of the currency. `error_if_new` does not apply to a replay; `into_any_wallet` lets a
    deposit go to a wallet of another user; `charge` is the one to refund. `maker_id` is the person, if they act for
    the user.
    """

    payment: NewPayment
    source: str
    target: str | None
    digits: int
    error_if_new: ApiError | None = None
    into_any_wallet: bool = False
    conversion: ConvertedAmount | None = None
    counterparty: Counterparty | None = None
    charge: PaymentView | None = None
    maker_id: str | None = None

    @property
    def id(self) -> str:
        """The payment's id."""
        return self.payment.id

    @property
    def needs_own_transaction(self) -> bool:
        """True if more than the payment is stored, such as a reference, which only one payment may have."""
        new = self.payment
        more = (new.reference, new.quote_id, self.counterparty, self.maker_id)
        return any(one is not None for one in more)

    @property
    def is_between_wallets(self) -> bool:
        """True for a transfer or charge that names both wallets and no more: `wallet_payment` accepts it."""
        return (
            self.payment.type in (PaymentType.TRANSFER, PaymentType.CHARGE)
            and self.target is not None
            and self.error_if_new is None
            and not self.needs_own_transaction
        )

    @property
    def user_and_key(self) -> tuple[str, str]:
        """The user and their idempotency key."""
        return self.payment.user_id, self.payment.key


class Parties(NamedTuple):
    """The accounts that a group of requests needs."""

    by_token: Mapping[str, Party]
    oldest: Mapping[tuple[str, str], Party]
    reference_data: ReferenceData


def find_parties(connection: Connection, requests: Sequence[PaymentRequest], reference_data: ReferenceData) -> Parties:
    """The accounts of all requests: one statement for the tokens, one more if a charge names no target."""
    tokens, without_target = set(), set()
    for request in requests:
        new = request.payment
        if new.type != PaymentType.DEPOSIT:
            tokens.add(request.source)
        if request.target is None:
            without_target.add((new.user_id, new.currency))
        elif new.type != PaymentType.WITHDRAWAL:
            tokens.add(request.target)
    return Parties(
        account.parties_by_token(connection, tokens),
        account.oldest_wallets(connection, without_target) if without_target else {},
        reference_data,
    )


def resolve(request: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    """Source and target of the request; raises ApiError."""
    new = request.payment
    if request.error_if_new is not None:
        raise request.error_if_new
    source, target = _RESOLVE[new.type](request, parties)
    if source.id == target.id:
        raise invalid([("/target", "same_source_and_target", "Source and target are the same wallet.")])
    received = request.conversion.currency if request.conversion else new.currency
    for name, party, currency in (("source", source, new.currency), ("target", target, received)):
        if party.currency != currency:
            mismatched = "/currency" if request.conversion is None else f"/{name}"
            raise invalid([(mismatched, "currency_mismatch", f"The {name} does not hold {currency}.")])
    for pointer, party in zip(_POINTERS[new.type], (source, target), strict=True):
        if pointer is not None and not party.is_active:
            raise invalid([(pointer, "account_inactive", "This wallet or its owner is inactive.")])
    return source, target


def _deposit(request: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    target = _wallet(parties, request.target, "/wallet")
    if target.owner_id != request.payment.user_id and not request.into_any_wallet:
        raise _no_such_wallet("/wallet")
    return parties.reference_data.technical(request.source, request.payment.currency), target


def _withdrawal(request: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    source = _wallet(parties, request.source, "/wallet")
    if source.owner_id != request.payment.user_id:
        raise _no_such_wallet("/wallet")
    return source, parties.reference_data.technical(request.target or "", request.payment.currency)


def _transfer(request: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    source = _wallet(parties, request.source, "/source")
    if source.owner_id != request.payment.user_id:
        raise _no_such_wallet("/source")
    return source, _wallet(parties, request.target, "/target")


def _exchange(request: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    source, target = _transfer(request, parties)
    if target.owner_id != request.payment.user_id:
        raise _no_such_wallet("/target")
    return source, target


def _charge(request: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    source = _wallet(parties, request.source, "/wallet")
    if source.owner_id == request.payment.user_id:
        raise invalid([("/wallet", "own_wallet", "A merchant cannot charge a wallet of their own.")])
    if request.target is None:
        target = parties.oldest.get((request.payment.user_id, request.payment.currency))
        if target is None:
            raise invalid([("/target", "target_missing", f"You have no active {request.payment.currency} wallet.")])
        return source, target
    target = _wallet(parties, request.target, "/target")
    if target.owner_id != request.payment.user_id:
        raise _no_such_wallet("/target")
    return source, target


def _refund(request: PaymentRequest, parties: Parties) -> tuple[Party, Party]:
    return _wallet(parties, request.source, "/charge"), _wallet(parties, request.target, "/charge")


_POINTERS: dict[str, tuple[str | None, str | None]] = {
    PaymentType.DEPOSIT: ("/source", "/wallet"),
    PaymentType.WITHDRAWAL: ("/wallet", "/target"),
    PaymentType.TRANSFER: ("/source", "/target"),
    PaymentType.EXCHANGE: ("/source", "/target"),
    PaymentType.CHARGE: ("/wallet", "/target"),
    PaymentType.REFUND: ("/charge", None),
}
"""The members of a request that name source and target; None is never checked: refunds may go to inactive wallets."""

_RESOLVE: dict[str, Callable[[PaymentRequest, Parties], tuple[Party, Party]]] = {
    PaymentType.DEPOSIT: _deposit,
    PaymentType.WITHDRAWAL: _withdrawal,
    PaymentType.TRANSFER: _transfer,
    PaymentType.EXCHANGE: _exchange,
    PaymentType.CHARGE: _charge,
    PaymentType.REFUND: _refund,
}


def _wallet(parties: Parties, token: str | None, pointer: str) -> Party:
    party = parties.by_token.get(token or "")
    if party is None:
        raise _no_such_wallet(pointer)
    return party


def _no_such_wallet(pointer: str) -> ApiError:
    return invalid([(pointer, "not_found", "There is no such wallet that you may use.")])
