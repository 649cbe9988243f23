"""Accounts and wallets: opened empty, found by id, token and owner, with all their digits."""

import secrets

import pytest
from sqlalchemy.exc import IntegrityError

from models import account
from models.keyset import Cursor
from models.session import transaction
from tests.builders import new_id


def test_new_wallet_is_empty_and_found_by_id_and_token(world):
    ann, id, token = world.user(), new_id(), f"wal_{secrets.token_urlsafe(24)}"
    with transaction(world.gateway) as connection:
        wallet = account.open_wallet(connection, id, token, ann, "JPY", "Törkish {tea}")
        assert (wallet.id, wallet.token, wallet.owner_id, wallet.label) == (id, token, ann, "Törkish {tea}")
        assert (wallet.currency, wallet.digits, wallet.balance, wallet.available) == ("JPY", 0, 0, 0)
        assert (wallet.is_active, wallet.is_frozen, wallet.version) == (True, False, 1)
        assert account.wallet_by_id(connection, id) == account.wallet_by_token(connection, token) == wallet
        assert account.wallet_by_id(connection, new_id()) is None
        assert account.wallet_by_token(connection, "wal_unknown") is None
        assert account.wallet_by_id(connection, world.technical("wire")) is None, "a technical account is no wallet"


def test_wallet_token_is_unique(world):
    ann, token = world.user(), f"wal_{secrets.token_urlsafe(24)}"
    with pytest.raises(IntegrityError, match="accounts_token_is_unique"), transaction(world.gateway) as connection:
        for _ in range(2):
            account.open_wallet(connection, new_id(), token, ann, "EUR", None)


def test_available_is_balance_without_holds_to_the_last_digit(world):
    id, most = world.wallet(world.user()), 10**38 - 1
    with transaction(world.worker) as connection:
        connection.exec_driver_sql("UPDATE accounts SET balance = %s, held = 2 WHERE id = %s", (most, id))
        wallet = account.wallet_by_id(connection, id)
    assert (wallet.balance, wallet.held, wallet.available) == (most, 2, most - 2)


def test_wallets_of_an_owner_are_paged(world):
    ann, bob = world.user(), world.user()
    ids = [world.wallet(owner) for owner in (ann, ann, bob, ann)]
    with transaction(world.gateway) as connection:

        def page(limit, **edge):
            return [wallet.id for wallet in account.wallets(connection, limit, Cursor(**edge), owner_id=ann)]

        assert page(10) == [ids[3], ids[1], ids[0]]
        assert page(2) == [ids[3], ids[1]]
        assert page(2, before=ids[1]) == [ids[0]]
        assert page(1, after=ids[0]) == [ids[1]]
        assert page(10, after=ids[3]) == []


def test_wallets_are_found_by_token_and_technical_by_code(world):
    ann = world.user(name="Ann")
    id = world.wallet(ann)
    with transaction(world.gateway) as connection:
        token = account.wallet_by_id(connection, id).token
        nasty = 'wal_"},{\\'
        assert account.parties_by_token(connection, [token, nasty]) == {
            token: account.Party(id, token, ann, "EUR", "Ann")
        }
        technical = account.technical_parties(connection)
    assert (technical["wire", "EUR"].owner_id, technical["wire", "EUR"].token, technical["wire", "EUR"].name) == (
        None,
        None,
        "wire",
    )
    assert {code for code, _ in technical} == {"internal", "commission", "wire", "wallet", "crypto", "exchange"}
