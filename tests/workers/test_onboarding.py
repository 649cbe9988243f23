"""New users are onboarded once: wallets, bonus and the record of it in one transaction, even if a worker dies."""

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog
from structlog.testing import LogCapture
from uuid_utils.compat import uuid7

from embedded.home import CHECKOUT
from models import account, currency, idempotency, user
from models.rules.money import Money
from models.session import Contention, transaction
from models.user import NewUser, Role
from tests.support import eventually
from tests.workers.books import Books
from workers import onboarding
from workers.onboarding import BATCH_MAX, BONUS_KEY, BonusError, Onboarding, parse_bonus

DEFAULT = ("USD", "EUR", "CNY")
PATIENCE_SECONDS = 60.0
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA"


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The log entries of the onboarding."""
    capture = LogCapture()
    monkeypatch.setattr(onboarding, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture
def sign_up(books: Books) -> Callable[..., str]:
    """Sign up as the gateway does; returns the new user's id."""
    numbers = iter(range(10**7))

    def sign_up(role: Role = Role.CLIENT) -> str:
        id = str(uuid7())
        phone = f"+1415{next(numbers):07}"
        new = NewUser(id, f"{id}@example.com", role, "A B", "A", "B", phone, None, HASH)
        with transaction(books.gateway) as connection:
            assert user.sign_up(connection, new)
        return id

    return sign_up


def welcomer(
    books: Books, bonus: str = "", most: int = 0, currencies: tuple[str, ...] = DEFAULT, **parameters: str
) -> Onboarding:
    return Onboarding(books.impatient_worker(**parameters) if parameters else books.worker, currencies, bonus, most)


def wallets(books: Books, id: str) -> dict[str, int]:
    """Balance by currency, the oldest first."""
    with transaction(books.worker) as connection:
        rows = account.wallets(connection, 100, owner_id=id, is_active=None)
    assert len({row.currency for row in rows}) == len(rows), "one wallet a currency"
    return {row.currency: row.balance for row in reversed(rows)}


def bonuses(books: Books) -> list[tuple[str, str, int]]:
    """(owner, state, operations) of every bonus."""
    with transaction(books.worker) as connection:
        rows = connection.exec_driver_sql(
            "SELECT user_id::text, state, (SELECT count(*) FROM operations o WHERE o.payment_id = p.id)"
            " FROM payments p WHERE type = 'bonus' ORDER BY user_id"
        )
        return [tuple(row) for row in rows]


def is_welcomed(books: Books, id: str) -> bool:
    with transaction(books.worker) as connection:
        return connection.exec_driver_sql("SELECT welcomed_at IS NOT NULL FROM users WHERE id = %s", (id,)).scalar_one()


def test_client_gets_one_wallet_per_default_currency(books: Books, sign_up: Callable[..., str]) -> None:
    client = sign_up()
    assert welcomer(books).welcome() == 1
    assert wallets(books, client) == {"USD": 0, "EUR": 0, "CNY": 0}
    assert is_welcomed(books, client)
    assert welcomer(books).welcome() == 0
    assert bonuses(books) == []


def test_onboarding_wallets_have_ordinary_tokens(books: Books, sign_up: Callable[..., str]) -> None:
    client = sign_up()
    welcomer(books).welcome()
    with transaction(books.worker) as connection:
        tokens = {wallet.token for wallet in account.wallets(connection, 9, owner_id=client)}
    assert len(tokens) == len(DEFAULT)
    assert {(token[:4], len(token)) for token in tokens} == {("wal_", 36)}


def test_bonus_is_an_ordinary_payment_from_internal(books: Books, sign_up: Callable[..., str]) -> None:
    client = sign_up()
    internal = books.technical("internal", "USD")
    welcomer(books, "100 USD").welcome()
    assert bonuses(books) == [(client, "INITIATED", 0)]
    books.poster().drain()
    assert bonuses(books) == [(client, "COMPLETED", 2)]
    assert wallets(books, client) == {"USD": 100_00, "EUR": 0, "CNY": 0}
    assert books.balance(internal) == -100_00
    with transaction(books.worker) as connection:
        assert (client, BONUS_KEY) in idempotency.find(connection, [(client, BONUS_KEY)])


def test_bonus_in_another_currency_opens_its_wallet(books: Books, sign_up: Callable[..., str]) -> None:
    client = sign_up()
    welcomer(books, "1000 JPY").welcome()
    books.poster().drain()
    assert wallets(books, client) == {"JPY": 1000, "USD": 0, "EUR": 0, "CNY": 0}


@pytest.mark.parametrize(("most", "expected"), [(1, ["EUR"]), (2, ["EUR", "USD"]), (0, ["EUR", "USD", "CNY"])])
def test_wallet_limit_opens_the_bonus_wallet_first(
    books: Books, sign_up: Callable[..., str], most: int, expected: list[str]
) -> None:
    client = sign_up()
    welcomer(books, "5.00 EUR", most).welcome()
    books.poster().drain()
    assert list(wallets(books, client)) == expected
    assert wallets(books, client)["EUR"] == 500


def test_wallet_opened_by_the_client_is_not_duplicated(books: Books, sign_up: Callable[..., str]) -> None:
    eager, full = sign_up(), sign_up()
    books.wallet(eager, currency="USD")
    books.wallet(full, currency="GBP")
    assert welcomer(books, "1 USD", most=1).welcome() == 2
    books.poster().drain()
    assert wallets(books, eager) == {"USD": 1_00}
    assert wallets(books, full) == {"GBP": 0}, "there is no room for the bonus"
    assert bonuses(books) == [(eager, "COMPLETED", 2)]


def test_merchant_gets_no_wallets(books: Books, sign_up: Callable[..., str]) -> None:
    merchant = sign_up(Role.MERCHANT)
    assert welcomer(books, "100 USD").welcome() == 1
    assert (wallets(books, merchant), bonuses(books), is_welcomed(books, merchant)) == ({}, [], True)


def test_unknown_or_inactive_currency_is_logged_once_and_skipped(
    books: Books, sign_up: Callable[..., str], logged: list[dict]
) -> None:
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE currencies SET is_active = false WHERE code = 'CNY'")
    onboarding = welcomer(books, currencies=("CNY", "XYZ", "EUR"))
    clients = []
    for _ in range(2):
        clients.append(sign_up())
        onboarding.welcome()
    assert [wallets(books, client) for client in clients] == [{"EUR": 0}] * 2
    assert sorted(entry["currency"] for entry in logged if entry["log_level"] == "error") == ["CNY", "XYZ"]


def test_users_beyond_one_batch_are_all_onboarded(books: Books, sign_up: Callable[..., str]) -> None:
    clients = [sign_up() for _ in range(BATCH_MAX + 3)]
    assert welcomer(books, "1 USD").welcome(PATIENCE_SECONDS) == len(clients)
    books.poster().drain()
    assert bonuses(books) == [(client, "COMPLETED", 2) for client in sorted(clients)]


def test_onboarding_without_time_leaves_users_to_the_next_run(books: Books, sign_up: Callable[..., str]) -> None:
    for _ in range(BATCH_MAX + 1):
        sign_up()
    assert welcomer(books).welcome(seconds=0) == BATCH_MAX
    assert welcomer(books).welcome(seconds=0) == 1


def test_racing_onboardings_make_wallets_once(books: Books, sign_up: Callable[..., str]) -> None:
    clients = [sign_up() for _ in range(30)]
    with ThreadPoolExecutor(6) as threads:
        counts = list(threads.map(lambda _: welcomer(books, "2 USD").welcome(), range(6)))
    assert sum(counts) == len(clients)
    books.poster().drain()
    assert bonuses(books) == [(client, "COMPLETED", 2) for client in sorted(clients)]
    assert all(wallets(books, client) == {"USD": 2_00, "EUR": 0, "CNY": 0} for client in clients)


KILLED = """
import sys
from models.session import open_engine
from workers.onboarding import Onboarding
Onboarding(open_engine(sys.argv[1]), ("USD", "EUR", "CNY"), "3 USD", 0).welcome()
"""
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.parametrize("table", ["accounts", "idempotency_keys", "users"])
def test_killed_onboarding_is_completed_once(books: Books, sign_up: Callable[..., str], table: str) -> None:
    """Before the wallets, between wallets and bonus, or between bonus and note: all of it is done again, once."""
    clients = [sign_up() for _ in range(3)]
    with books.superuser.connect() as stranger, books.superuser.connect() as line:
        line.execution_options(isolation_level="AUTOCOMMIT")
        stranger.exec_driver_sql(f"LOCK TABLE {table} IN SHARE MODE")
        patient = f"{books.database.worker}&options=-c%20lock_timeout%3D60s"
        victim = subprocess.Popen([sys.executable, "-c", KILLED, patient], cwd=CHECKOUT)
        waiting = eventually(lambda: line.exec_driver_sql(WAITING).scalar(), message="it waits to write")
        victim.kill()
        assert victim.wait() == -signal.SIGKILL
        line.exec_driver_sql("SELECT pg_terminate_backend(%s)", (waiting,))  # as a server does when a client is gone
    assert [(wallets(books, id), is_welcomed(books, id)) for id in clients] == [({}, False)] * 3
    assert welcomer(books, "3 USD").welcome() == 3
    books.poster().drain()
    assert bonuses(books) == [(client, "COMPLETED", 2) for client in sorted(clients)]


def test_unrecorded_onboarding_is_repeated_without_duplicates(books: Books, sign_up: Callable[..., str]) -> None:
    client = sign_up()
    with books.superuser.connect() as stranger:
        stranger.exec_driver_sql("LOCK TABLE users IN SHARE MODE")
        with pytest.raises(Contention):
            welcomer(books, "3 USD", lock_timeout="100ms").welcome()
    assert (wallets(books, client), bonuses(books)) == ({}, [])
    assert welcomer(books, "3 USD").welcome() == 1
    books.poster().drain()
    assert bonuses(books) == [(client, "COMPLETED", 2)]


@pytest.mark.parametrize(
    ("text", "bonus"), [("", None), ("100 USD", Money(100_00, "USD")), ("0.5 EUR", Money(50, "EUR"))]
)
def test_bonus_setting_is_an_amount_and_a_currency(books: Books, text: str, bonus: Money | None) -> None:
    with transaction(books.worker) as connection:
        assert parse_bonus(text, currency.all_by_code(connection)) == bonus


@pytest.mark.parametrize("text", ["100", "100 XYZ", "1.5 JPY", "1.005 USD", "0 USD", "1.2.3 USD", "007 USD", " USD"])
def test_invalid_bonus_setting_is_refused(books: Books, text: str) -> None:
    with transaction(books.worker) as connection, pytest.raises(BonusError):
        parse_bonus(text, currency.all_by_code(connection))
