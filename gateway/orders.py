"""What a user orders, before it is a payment: between which accounts, and whether he may."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.catalogue import Catalogue
from gateway.errors import Refusal, flawed
from models import account
from models.account import Party
from models.payment import Wish
from models.rules.posting import PaymentType
from models.session import Connection


class Order(NamedTuple):
    """A payment as asked for: wallets by token, amount in minor units.

    `source` of a deposit is the code of a technical account; `target` of a charge may be left to us.
    `objection` is a refusal that a replay must not meet; `into_any` lets a deposit go to another's wallet.
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
    objection: Refusal | None = None
    into_any: bool = False

    @property
    def claim(self) -> tuple[str, str]:
        """Whose key it is, and which."""
        return self.user_id, self.key

    def wish(self, source: Party, target: Party) -> Wish:
        """The order between the accounts that were found for it."""
        return Wish(
            self.id, self.type.value, self.user_id, source.id, target.id, self.amount, self.currency,
            self.key, self.fingerprint, self.summary, self.reference,
            None if self.metadata is None else json.dumps(self.metadata),
        )  # fmt: skip


class Parties(NamedTuple):
    """The accounts that a flush of orders speaks of."""

    by_token: Mapping[str, Party]
    oldest: Mapping[tuple[str, str], Party]
    catalogue: Catalogue


def find_parties(connection: Connection, orders: Sequence[Order], catalogue: Catalogue) -> Parties:
    """The accounts of all orders: one statement for the tokens, one more if a charge leaves its target to us."""
    tokens = {order.target for order in orders if order.target}
    tokens.update(order.source for order in orders if order.type is not PaymentType.DEPOSIT)
    open_ended = {(order.user_id, order.currency) for order in orders if order.target is None}
    return Parties(
        account.parties_by_token(connection, tokens),
        account.oldest_wallets(connection, open_ended) if open_ended else {},
        catalogue,
    )


def resolve(order: Order, parties: Parties) -> tuple[Party, Party]:
    """Source and target of the order; raises Refusal."""
    if order.objection is not None:
        raise order.objection
    source, target = _RESOLVE[order.type](order, parties)
    for name, party in (("source", source), ("target", target)):
        if party.currency != order.currency:
            detail = f"The {name} does not hold {order.currency}."
            raise flawed([("/currency", "currency_mismatch", detail)])
    if source.id == target.id:
        raise flawed([("/target", "same_source_and_target", "Source and target are the same wallet.")])
    for pointer, party in zip(_POINTERS[order.type], (source, target), strict=True):
        if not party.is_active:
            raise flawed([(pointer, "account_inactive", "This wallet or its owner is inactive.")])
    return source, target


def _deposit(order: Order, parties: Parties) -> tuple[Party, Party]:
    target = _known(parties, order.target, "/wallet")
    if target.owner_id != order.user_id and not order.into_any:
        raise _unknown("/wallet")
    return parties.catalogue.technical(order.source, order.currency), target


def _transfer(order: Order, parties: Parties) -> tuple[Party, Party]:
    source = _known(parties, order.source, "/source")
    if source.owner_id != order.user_id:
        raise _unknown("/source")
    return source, _known(parties, order.target, "/target")


def _charge(order: Order, parties: Parties) -> tuple[Party, Party]:
    source = _known(parties, order.source, "/wallet")
    if source.owner_id == order.user_id:
        raise flawed([("/wallet", "own_wallet", "A merchant cannot charge a wallet of their own.")])
    if order.target is None:
        target = parties.oldest.get((order.user_id, order.currency))
        if target is None:
            raise flawed([("/target", "target_missing", f"You have no active {order.currency} wallet.")])
        return source, target
    target = _known(parties, order.target, "/target")
    if target.owner_id != order.user_id:
        raise _unknown("/target")
    return source, target


_POINTERS = {
    PaymentType.DEPOSIT: ("/source", "/wallet"),
    PaymentType.TRANSFER: ("/source", "/target"),
    PaymentType.CHARGE: ("/wallet", "/target"),
}
"""What an order calls its source and its target."""

_RESOLVE = {PaymentType.DEPOSIT: _deposit, PaymentType.TRANSFER: _transfer, PaymentType.CHARGE: _charge}


def _known(parties: Parties, token: str | None, pointer: str) -> Party:
    party = parties.by_token.get(token or "")
    if party is None:
        raise _unknown(pointer)
    return party


def _unknown(pointer: str) -> Refusal:
    return flawed([(pointer, "not_found", "There is no such wallet that you may use.")])
