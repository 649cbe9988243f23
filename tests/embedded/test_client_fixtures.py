"""The fixtures of the Python client start the stack of a checkout, receive its webhooks, and end it."""

import shutil
from pathlib import Path

import pytest

from embedded import home as homes
from embedded.home import CHECKOUT
from tests.clients.python.environments import PROJECT, run
from tests.embedded.checkout import Checkout

NOT_COPIED = shutil.ignore_patterns(".[!f]*", "tests", "bench", "adr")

USERS_TEST = """
pytest_plugins = ["payments_client.testing.fixtures"]


def test_a_charge_is_paid_and_told(payments_stack, payments_inbox):
    inbox = payments_inbox("shop", "payment.completed")
    with payments_stack.client("alice") as alice, payments_stack.client("shop") as shop:
        wallet = payments_stack.wallet("alice")
        alice.deposits.create(wallet=wallet, amount="20.00", currency="EUR", source="wire").wait()
        charge = shop.charges.create(wallet=wallet, amount="12.50", currency="EUR").wait(raise_on_failure=True)
    assert inbox.wait_for("payment.completed", id=charge.id).data.state == "COMPLETED"
"""


@pytest.mark.slow
def test_a_users_test_runs_on_a_stack_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(USERS_TEST)
    with homes.temporary() as home:
        path = home.path / "checkout"
        shutil.copytree(CHECKOUT, path, ignore=NOT_COPIED)
        path.chmod(0o755)
        (path / ".venv").symlink_to(CHECKOUT / ".venv")
        checkout = Checkout(path)
        pytest_of_users = [path / ".venv" / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        environ = {"PAYMENTS_CHECKOUT": str(path), "PYTHONPATH": str(PROJECT / "src")}
        printed = run(*pytest_of_users, tmp_path / "test_shop.py", cwd=tmp_path, **environ)
        assert "1 passed" in printed
        assert checkout.run("status").returncode == 1, "the stack has ended"
