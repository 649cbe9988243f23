"""Clients generated from the document, in Python and TypeScript, make the charge of the README."""

import importlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract import node
from tests.gateway.events.live_gateway import Served, serving
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import Database

DOCUMENT = node.HERE.parents[1] / "docs" / "openapi.json"
TYPES = node.HERE.parents[1] / "clients" / "typescript"
POSTING_SECONDS = 0.05


@pytest.fixture(scope="module")
def served(
    database: Database, api: ApiHarness, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A running gateway, and a poster beside it."""
    ended = threading.Event()

    def post() -> None:
        while not ended.wait(POSTING_SECONDS):
            api.post_payments()

    poster = threading.Thread(target=post)
    with serving(database, api, redis_url, tmp_path_factory.mktemp("gateway"), ALLOWED_HOSTS="127.0.0.1") as served:
        poster.start()
        try:
            yield served
        finally:
            ended.set()
            poster.join()


@pytest.fixture(scope="module")
def shop(api: ApiHarness) -> ApiUser:
    shop = api.person("merchant", "Shop")
    shop.wallet()
    return shop


@pytest.fixture(scope="module")
def wallet(api: ApiHarness) -> str:
    """The token of Alice's wallet, with 100.00 EUR in it."""
    return api.person("client", "Alice").wallet("100.00")


def test_typescript_is_strict_and_charges(served: Served, shop: ApiUser, wallet: str) -> None:
    node.types("generated/index.d.ts")
    made = (node.HERE / "generated" / "index.d.ts").read_text()
    assert (TYPES / "index.d.ts").read_text() == made, "run: make contract"
    node.run("tsc", "--project", "tsconfig.json", "--outDir", "generated")
    environ = {"URL": f"http://127.0.0.1:{served.port}", "SHOP": shop.token, "WALLET": wallet, "KEY": "by-typescript"}
    charge = json.loads(node.run("node", "generated/charge.js", **environ))
    assert (charge["state"], charge["amount"], charge["listed"]) == ("COMPLETED", "12.50", [charge["id"]])


def test_typescript_reads_carry_the_greatest_token_of_the_writes() -> None:
    node.install()
    assert json.loads(node.run("node", "consistency.mjs")) == [None, None, "0002bb", "0002bb"]


def test_the_package_of_types_has_them_and_nothing_else() -> None:
    [packed] = json.loads(node.run("node", str(node.NPM), "pack", str(TYPES), "--dry-run", "--json"))
    assert sorted(file["path"] for file in packed["files"]) == [
        *("LICENSE", "README.md", "consistency.d.ts", "consistency.js", "index.d.ts", "package.json")
    ]


@pytest.fixture(scope="module")
def generated_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package that openapi-python-client makes; it warns of nothing."""
    folder = tmp_path_factory.mktemp("python")
    command = ["-m", "openapi_python_client", "generate", "--path", DOCUMENT, "--meta", "none", "--fail-on-warning"]
    where = ["--config", node.HERE / "python-client.yaml", "--output-path", folder / "generated_client"]
    done = subprocess.run([sys.executable, *command, *where], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module
    sys.path.remove(str(folder))


def test_python_charges(served: Served, shop: ApiUser, wallet: str, generated_client: Any) -> None:
    package = generated_client("generated_client")
    models = generated_client("generated_client.models")
    create_charge = generated_client("generated_client.api.orders.create_charge")
    get_payment = generated_client("generated_client.api.payments.get_payment")
    client = package.AuthenticatedClient(base_url=f"http://127.0.0.1:{served.port}", token=shop.token)
    order = models.ChargeInput(
        wallet=wallet, amount="12.50", currency="EUR", summary="Coffee beans", reference="by-python"
    )
    with client:
        payment = create_charge.sync(client=client, body=order, idempotency_key="by-python")
        while payment.state == models.PaymentState.INITIATED:
            payment = get_payment.sync(payment.id, client=client, prefer="wait=5")
    assert (payment.state, payment.amount) == (models.PaymentState.COMPLETED, "12.50")
    assert payment.type_ == models.PaymentType.CHARGE
