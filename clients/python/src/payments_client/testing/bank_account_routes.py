"""Bank accounts of organisations, which pay by bulk."""

from __future__ import annotations

import httpx

from payments_client.testing.bank_fields import checked_iban, refuse_mismatch
from payments_client.testing.books import Books
from payments_client.testing.bulks import BankAccount
from payments_client.testing.problems import Refused, invalid
from payments_client.testing.queries import listed
from payments_client.testing.routing import Asked, answers
from payments_client.testing.wallet_routes import require_version


@answers("create_bank_account")
def register(books: Books, asked: Asked) -> httpx.Response:
    """A bank account that may pay by bulk."""
    body = asked.body
    iban = checked_iban(body["iban"], "/iban")
    refuse_mismatch(iban, body.get("bic"), "/bic")
    wallet = books.wallets.get(body["wallet"])
    if wallet is None or wallet.owner is not asked.user:
        raise invalid([("/wallet", "not_found")])
    if any(account.user is asked.user and account.iban == iban for account in books.bank_accounts.values()):
        raise Refused(409, "duplicate_bank_account")
    account = BankAccount(asked.user, body["organization_name"], iban, body.get("bic"), wallet)
    books.bank_accounts[account.id] = account
    return _of_account(account, 201)


def _of_account(account: BankAccount, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=account.body(), headers={"ETag": f'W/"{account.version}"'})


def _account(books: Books, asked: Asked, id: str) -> BankAccount:
    account = books.bank_accounts.get(id)
    if account is None or account.user is not asked.user:
        raise Refused(404, "not_found")
    return account


@answers("get_bank_account")
def get_bank_account(books: Books, asked: Asked, id: str) -> httpx.Response:
    """One of the caller's bank accounts."""
    return _of_account(_account(books, asked, id))


@answers("list_bank_accounts")
def list_bank_accounts(books: Books, asked: Asked) -> httpx.Response:
    """The caller's bank accounts, the newest first."""
    return listed(asked, [a.body() for a in reversed(books.bank_accounts.values()) if a.user is asked.user])


@answers("update_bank_account")
def update_bank_account(books: Books, asked: Asked, id: str) -> httpx.Response:
    """A bank account that may pay, or may not."""
    account = _account(books, asked, id)
    require_version(asked, account.version)
    account.version += account.is_active is not asked.body["is_active"]
    account.is_active = asked.body["is_active"]
    return _of_account(account)
