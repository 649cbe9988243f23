"""Decides a claimed batch: reads what the rules need, and applies them."""

import time

from models import account, adjustment, charge_limit, commission_terms, ledger, posting_facts, quote
from models.rules import posting
from models.rules.commission import NO_SCHEDULES, Schedules
from models.rules.types import ClaimedPayment, Decision, LockedAccount, LockedBulk
from models.session import Connection

TERMS_SECONDS = 30.0
"""How long the terms of commission are cached: well below the minute by which new ones are announced ahead."""


class Decider:
    """Decides batches, with the terms of commission and the technical accounts cached."""

    schedules: Schedules = NO_SCHEDULES

    def __init__(self, *, deposits_open: bool, refunds_commission: bool) -> None:
        self.deposits_open = deposits_open
        self.refunds_commission = refunds_commission
        self._technical_accounts: dict[tuple[str, str], str] = {}
        self._terms_expire_at = 0.0

    def refresh_terms(self, connection: Connection) -> None:
        """Read the terms of commission and the technical accounts again when the cached ones have expired."""
        if time.monotonic() < self._terms_expire_at:
            return
        self.schedules = commission_terms.schedules(connection)
        self._read_technical_accounts(connection)
        self._terms_expire_at = time.monotonic() + TERMS_SECONDS

    def account_ids(self, connection: Connection, claimed: list[ClaimedPayment]) -> set[str]:
        """Ids of all accounts that the batch is decided on."""
        if not self._technical_accounts.keys() >= {
            ("exchange", code) for p in claimed for code in (p.currency, p.received_currency)
        }:  # a currency was added
            self._read_technical_accounts(connection)
        return ledger.account_ids(claimed, self._technical_accounts)

    def decide(
        self,
        connection: Connection,
        claimed: list[ClaimedPayment],
        accounts: dict[str, LockedAccount],
        bulks: dict[str, LockedBulk],
    ) -> Decision:
        """The decision on a batch, in order, on these accounts and bulks."""
        initiators = posting_facts.initiators(connection, claimed)
        charges = posting_facts.refundable_amounts(connection, claimed, gives_back=self.refunds_commission)
        quotes = quote.quoted(connection, claimed)
        adjustments = adjustment.approved(connection, claimed)
        allowances = charge_limit.allowances(connection, claimed, accounts)
        facts = charges, quotes, adjustments, allowances, bulks
        return posting.decide(claimed, accounts, initiators, *facts, deposits_open=self.deposits_open)

    def _read_technical_accounts(self, connection: Connection) -> None:
        parties = account.technical_parties(connection)
        self._technical_accounts = {key: party.id for key, party in parties.items()}
