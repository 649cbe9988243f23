"""Books with withdrawals, and the simulated bank on a port of its own."""

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
    """The simulated bank, to be inspected."""
    return Bank(str(tmp_path / "bank.db"), HANG_SECONDS)


@pytest.fixture
def bank_url(bank: Bank) -> Iterator[str]:
    """The URL of the bank."""
    server = make_server("127.0.0.1", 0, create_app(bank), threaded=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def rail(bank_url: str) -> Iterator[SimulatorRail]:
    """The rail to the bank, with a short time-out."""
    with closing(SimulatorRail(bank_url, TIMEOUT_SECONDS)) as rail:
        yield rail


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The log entries of sending payouts."""
    capture = LogCapture()
    monkeypatch.setattr(payouts, "log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture(autouse=True)
def long_payout_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed payouts are due again when a test says so; a second later is too soon on a busy machine."""
    monkeypatch.setattr(payouts, "BACKOFF_MIN_SECONDS", 10 * payouts.BACKOFF_MIN_SECONDS)


class Withdrawals:
    """A client who withdraws, and a worker that sends the payouts."""

    def __init__(self, books: Books, sender: PayoutSender) -> None:
        self.books, self.sender = books, sender
        self.client, self.wallet = books.client(1_000_000_00)
        self.wire = books.technical("wire")

    def hold(self, *amounts: int) -> list[str]:
        """The ids of AUTHORIZED withdrawals of these amounts, whose payouts are to be sent."""
        ids = [self.books.order("withdrawal", self.client, self.wallet, self.wire, amount) for amount in amounts]
        self.books.poster().drain()
        assert {self.books.kept(id).state for id in ids} <= {"AUTHORIZED"}
        return ids

    def retry(self, id: str) -> None:
        """Reset a parked payment, as ops do."""
        with transaction(self.books.worker) as connection:
            assert [row.id for row in payment_stuck.reset_for_retry(connection, [id])] == [id]

    def post(self) -> None:
        """Post answered withdrawals and returns."""
        self.books.poster().drain()

    def hasten(self) -> None:
        """Make every payout due, as if all waits and leases were over."""
        with self.books.as_owner() as connection:
            connection.exec_driver_sql("UPDATE instructions SET due_at = now() WHERE due_at IS NOT NULL")

    def row(self, id: str, *columns: str) -> tuple:
        """Columns of the payment's row in `instructions`."""
        with transaction(self.books.worker) as connection:
            statement = f"SELECT {', '.join(columns)} FROM instructions WHERE payment_id = %s"
            return tuple(connection.exec_driver_sql(statement, (id,)).one())

    def state(self, id: str) -> str:
        """The state of the payment, its failure code, or "parked"."""
        kept = self.books.kept(id)
        return "parked" if kept.is_parked else kept.failure_code or kept.state


@pytest.fixture
def withdrawals_by(books: Books) -> Callable[[object], Withdrawals]:
    """Withdrawals that are paid out by this rail."""
    return lambda rail: Withdrawals(books, PayoutSender(books.worker, rail))


@pytest.fixture
def withdrawals(withdrawals_by: Callable[[object], Withdrawals], rail: object) -> Withdrawals:
    """Withdrawals that are paid out by `rail`: the simulated bank, unless a module has its own."""
    return withdrawals_by(rail)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """The folder to which the rail writes."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """The folder from which the rail reads."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def files(outbox: Path, inbox: Path) -> SepaRail:
    """The rail between the two folders."""
    return SepaRail(outbox, inbox, DEBTOR)
