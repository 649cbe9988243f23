"""DATABASE_POOLER=transaction: all runs in sessions that know nothing of the transaction before."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import models
from embedded.home import CHECKOUT
from gateway.services import Services
from models import client_timeout, invariants, replica
from models.prepared_statement import PreparedStatement
from models.replica import ReplicaUnusable
from models.session import KEEPS_PLANS, Engine, open_engine, statements, transaction
from settings import GATEWAY_ROLE, WORKER_ROLE
from tests.builders import DRAIN_SECONDS_MAX, scalar
from tests.clean_sessions import clean_sessions
from tests.gateway.harness import SECOND_FACTOR_KEY, SECRET_KEY, ApiHarness, ApiUser, settings_for
from tests.gateway.orders import answer_of_the_bank, deposit_into, wire_withdrawal
from tests.support import Database
from workers import auditor
from workers.posting.poster import Poster

POOLED = "postgresql://payments_gateway:x@127.0.0.1:6432/payments"
OF_ROLE = "SELECT current_setting('lock_timeout') || ' ' || current_setting('statement_timeout')"


def prepared_statements() -> dict[str, PreparedStatement]:
    """Each statement of the product that is prepared where sessions are its own, by its name."""
    modules = [importlib.import_module(f"models.{module.name}") for module in pkgutil.iter_modules(models.__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, PreparedStatement)]
    return {statement.name: statement for statement in found}


@pytest.fixture
def ran() -> Iterator[list[str]]:
    with clean_sessions() as ran:
        yield ran


@pytest.fixture
def api(ran: list[str], fresh_database: Database) -> Iterator[ApiHarness]:
    api = ApiHarness(fresh_database, database_pooler="transaction")
    api.worker, api.gateway = (pooled(url) for url in (fresh_database.worker, fresh_database.gateway))
    yield api
    api.close()


def pooled(url: str) -> Engine:
    return open_engine(url, keeps_plans=False)


def test_the_setting_reaches_gateway_and_workers(fresh_database: Database, ran: list[str]) -> None:
    services = Services(settings_for(fresh_database, database_pooler="transaction"))
    with transaction(services.engine) as connection:
        assert connection.info[KEEPS_PLANS] is False
    services.close()


def test_each_transaction_has_the_time_outs_of_its_role(api: ApiHarness) -> None:
    for engine in (api.worker, api.gateway):
        for block in (transaction, statements):
            with block(engine) as connection:
                assert scalar(connection, OF_ROLE) == "2s 10s"


def test_money_moves_and_is_read_without_session_state(api: ApiHarness, ran: list[str]) -> None:
    client, shop = api.person(), api.person("merchant")
    wallet, other = client.wallet("500.00"), client.wallet("1.00", "USD")
    till = shop.wallet()
    held = shop.charge(wallet, "20.00", capture=False)
    charge = shop.charge(wallet, "30.00")
    api.post_payments()
    assert shop.order(f"/v1/charges/{held}/capture", {"amount": "15.00"}).status_code == 202
    refund = {"charge": charge, "amount": "10.00", "reason": "requested_by_customer"}
    assert shop.order("/v1/refunds", refund, "refund").status_code == 202
    assert shop.order("/v1/refunds", refund, "refund").headers["Idempotent-Replayed"]
    sent = client.order("/v1/withdrawals", wire_withdrawal(wallet)).get_json()["id"]
    api.post_payments()
    answer_of_the_bank(api, sent, is_confirmed=True)
    assert {shop.payment(id)["state"] for id in (held, charge)} == {"COMPLETED"}
    assert client.payment(sent)["state"] == "COMPLETED"
    assert (client.balance(wallet), shop.balance(till)) == ("461.00", "35.00")
    assert client.balance(other) == "1.00"
    transfer = {"source": wallet, "target": api.person().wallet(), "amount": "1.00", "currency": "EUR"}
    assert client.order("/v1/transfers", transfer).status_code == 202
    post_backlog(api, client, wallet)
    assert len(client.get("/v1/payments?state=COMPLETED&type=deposit").get_json()["data"]) == 20
    assert client.get(f"/v1/wallets/{wallet}/operations").status_code == 200
    month = client.payment(sent)["created_at"][:7]
    assert shop.get(f"/v1/closing?month={month}").status_code == 200
    with transaction(api.worker) as connection:
        assert invariants.violations(connection) == []
    assert auditor.run(api.worker, DRAIN_SECONDS_MAX).payments > 0
    assert auditor.run_full(api.worker, lambda *_: None).found == []
    with statements(api.gateway) as connection:
        assert replica.written(connection) > 0
        with pytest.raises(ReplicaUnusable, match="promoted"):
            replica.replayed(connection)
    unprepared = {name for name, one in prepared_statements().items() if one.text not in ran}
    assert unprepared == set(), "each of them ran as it stands"


def post_backlog(api: ApiHarness, client: ApiUser, wallet: str) -> None:
    """More than a batch, so that lanes post it on several connections."""
    for _ in range(30):
        assert client.order("/v1/deposits", deposit_into(wallet)).status_code == 202
    poster = Poster(api.worker, deposits_open=True, linger_seconds=0, lanes=2)
    poster.batch_limit = 10
    assert poster.drain(DRAIN_SECONDS_MAX)[0] == 31


def test_a_gateway_behind_a_pooler_needs_a_way_past_it() -> None:
    environ = {"GATEWAY_DATABASE_URL": POOLED, "DATABASE_POOLER": "transaction", "SECRET_KEY": SECRET_KEY}
    environ |= {"SECOND_FACTOR_KEYS": SECOND_FACTOR_KEY, "GATEWAY_BIND": "127.0.0.1:0", "PATH": os.environ["PATH"]}
    for url in ({}, {"LISTEN_DATABASE_URL": POOLED}):
        gunicorn = [sys.executable, "-m", "gunicorn", "--config", "gateway/gunicorn_conf.py", "wsgi:app"]
        done = subprocess.run(gunicorn, cwd=CHECKOUT, env=environ | url, capture_output=True, check=False, timeout=120)
        assert done.returncode == 1
        assert b"LISTEN_DATABASE_URL must lead past the pooler" in done.stdout + done.stderr


def test_the_files_of_pgbouncer_fit_the_product() -> None:
    text = (CHECKOUT / "deploy" / "pgbouncer" / "pgbouncer.ini").read_text()
    told = dict(re.findall(r"^(\w+) = (.+)$", text, re.M))
    assert told["pool_mode"] == "transaction"
    assert "server_reset_query" not in told
    assert int(told["query_wait_timeout"]) < client_timeout.STATEMENT_SECONDS_MAX
    assert int(told["server_connect_timeout"]) == client_timeout.NETWORK["connect_timeout"]
    assert int(told["tcp_user_timeout"]) == client_timeout.NETWORK["tcp_user_timeout"]
    roles = (CHECKOUT / "deploy" / "pgbouncer" / "userlist.sql").read_text()
    assert set(re.findall(r"'(payments_\w+)'", roles)) == {GATEWAY_ROLE, WORKER_ROLE}
