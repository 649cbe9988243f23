"""The statement that accepts payments between wallets decides as the rule that words its refusals."""

from itertools import product

from sqlalchemy import Engine

from gateway.acceptance.payment_request import Parties, PaymentRequest, resolve
from gateway.acceptance.reference_data import ReferenceData
from gateway.http.errors import ApiError
from models import account, wallet_payment
from models.session import statements, transaction
from tests.builders import Builder
from tests.support import Database

UNKNOWN = "wal_" + "u" * 32


def _tokens(world: Builder, user_id: str, stranger_id: str) -> list[str]:
    """Wallets of both, of two currencies, some inactive, one of an inactive user, and a token that is none."""
    left = world.user()
    owned = [(owner, currency) for owner in (user_id, stranger_id) for currency in ("EUR", "EUR", "EUR", "JPY")]
    ids = [world.wallet(owner, currency=currency) for owner, currency in [*owned, (left, "EUR")]]
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE accounts SET is_active = false WHERE id IN (%s, %s)", (ids[1], ids[5]))
        connection.exec_driver_sql("UPDATE users SET is_active = false WHERE id = %s", (left,))
        wallets = [account.wallet_by_id(connection, id) for id in ids]
    return [wallet.token for wallet in wallets if wallet is not None] + [UNKNOWN]


def _is_resolved(request: PaymentRequest, parties: Parties) -> bool:
    try:
        return bool(resolve(request, parties))
    except ApiError:
        return False


def test_statement_accepts_what_resolve_accepts(database: Database, gateway: Engine) -> None:
    world = Builder.of(database)
    user_id, stranger_id = world.user("merchant"), world.user()
    tokens = _tokens(world, user_id, stranger_id)
    cases = list(product(("transfer", "charge"), ("EUR", "JPY"), tokens, tokens))
    payments = [world.new_payment(type, user_id, "", "", 1, currency) for type, currency, _, _ in cases]
    requests = [PaymentRequest(new, case[2], case[3], 2) for new, case in zip(payments, cases, strict=True)]
    assert all(request.is_between_wallets for request in requests)
    with statements(gateway) as connection:
        parties = Parties(account.parties_by_token(connection, tokens), {}, ReferenceData(gateway))
        outcomes = wallet_payment.accept(connection, payments, *zip(*[case[2:] for case in cases], strict=True))
        again = wallet_payment.accept(connection, payments, *zip(*[case[2:] for case in cases], strict=True))
    accepted = {id for id, outcome in outcomes.items() if outcome.created_at is not None}
    assert {request.id for request in requests if _is_resolved(request, parties)} == accepted
    assert 0 < len(accepted) < len(cases)
    assert all(outcome.created_at is None for outcome in again.values())
    for request in requests:
        found = parties.by_token.get(request.source), parties.by_token.get(request.target or "")
        assert outcomes[request.id][:2] == found
