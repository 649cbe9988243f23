"""Books whose withdrawals wait for the real simulated bank, listening on a port of its own."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from threading import Thread

import pytest
import structlog
import xmlschema
from structlog.testing import LogCapture
from werkzeug.serving import make_server

from embedded.bank import Bank, create_app
from models import payment_stuck
from models.session import transaction
from tests.workers.books import Books
from tests.workers.rails.sepa_files import DEBTOR
from workers.rails import payouts
from workers.rails.payouts import PayoutSender
from workers.rails.sepa import SepaRail
from workers.rails.simulator import SimulatorRail

TIMEOUT_SECONDS = 1.0
HANG_SECONDS = 1.6


@pytest.fixture(scope="session", autouse=True)
def cached_schemas() -> Iterator[None]:
    """Schemas of ISO 20022 are read once for all tests; sepaxml reads one again for each file, in half a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xmlschema, "XMLSchema", cache(xmlschema.XMLSchema))
        yield


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """The bank's own books, to be looked at from inside."""
    return Bank(str(tmp_path / "bank.db"), HANG_SECONDS)


@pytest.fixture
def bank_url(bank: Bank) -> Iterator[str]:
    """Where the bank listens."""
    server = make_server("127.0.0.1", 0, create_app(bank), threaded=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def rail(bank_url: str) -> Iterator[SimulatorRail]:
    """The rail to the bank, which does not wait long."""
    with closing(SimulatorRail(bank_url, TIMEOUT_SECONDS)) as rail:
        yield rail


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """What the story of telling the bank logs."""
    capture = LogCapture()
    monkeypatch.setattr(payouts, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture(autouse=True)
def unhasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is due again when a test says so, not a second later: on a busy machine that is too soon."""
    monkeypatch.setattr(payouts, "BACKOFF_MIN_SECONDS", 10 * payouts.BACKOFF_MIN_SECONDS)


class Desk:
    """Books, with a client who withdraws and a worker who tells the bank."""

    def __init__(self, books: Books, instructor: PayoutSender) -> None:
        self.books, self.instructor = books, instructor
        self.client, self.wallet = books.client(1_000_000_00)
        self.wire = books.technical("wire")

    def hold(self, *amounts: int) -> list[str]:
        """Withdrawals of so much each, AUTHORIZED: the bank is to be told."""
        ids = [self.books.order("withdrawal", self.client, self.wallet, self.wire, amount) for amount in amounts]
        self.books.poster().drain()
        assert {self.books.kept(id).state for id in ids} <= {"AUTHORIZED"}
        return ids

    def retry(self, id: str) -> None:
        """As ops bring back what was set aside."""
        with transaction(self.books.worker) as connection:
            assert [row.id for row in payment_stuck.reset_for_retry(connection, [id])] == [id]

    def post(self) -> None:
        """End what has been answered, post what came back."""
        self.books.poster().drain()

    def hasten(self) -> None:
        """As if every wait were over, and every lease."""
        with self.books.as_owner() as connection:
            connection.exec_driver_sql("UPDATE instructions SET due_at = now() WHERE due_at IS NOT NULL")

    def row(self, id: str, *columns: str) -> tuple:
        """Columns of the payment's instruction."""
        with transaction(self.books.worker) as connection:
            statement = f"SELECT {', '.join(columns)} FROM instructions WHERE payment_id = %s"
            return tuple(connection.exec_driver_sql(statement, (id,)).one())

    def state(self, id: str) -> str:
        """State, or why it failed, or that it is set aside."""
        kept = self.books.kept(id)
        return "parked" if kept.is_parked else kept.failure_code or kept.state


@pytest.fixture
def desk_at(books: Books) -> Callable[[object], Desk]:
    """A desk that tells the bank by this rail."""
    return lambda rail: Desk(books, PayoutSender(books.worker, rail))


@pytest.fixture
def desk(desk_at: Callable[[object], Desk], rail: SimulatorRail) -> Desk:
    """A desk at the simulated bank."""
    return desk_at(rail)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """Where the rail leaves files."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Where the rail finds files."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def files(outbox: Path, inbox: Path) -> SepaRail:
    """The rail between the two."""
    return SepaRail(outbox, inbox, DEBTOR)
