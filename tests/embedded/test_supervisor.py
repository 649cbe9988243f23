"""`python -m embedded` in a checkout of its own: up, shown, crashed, killed, resumed and down."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest
from sqlalchemy import NullPool, create_engine

import database_urls
from embedded import api
from embedded import home as homes
from embedded.home import CHECKOUT
from embedded.stack import TOLD_BY_US
from tests.embedded.checkout import ELSEWHERE, Checkout
from tests.support import eventually, heeding_signals

NOT_COPIED = shutil.ignore_patterns(".[!f]*", "tests", "bench", "adr")
WORKERS = {"posting", "upkeep", "rails", "webhooks"}
SERVERS = {"postgres", "valkey"}
"""Their logs tell of checkpoints and the like now and then."""
SEVERAL_ROUNDS = timedelta(seconds=12)
SCREEN_LINES, SCREEN_COLUMNS = 24, 80

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    with homes.temporary() as home:
        path = home.path / "checkout"
        shutil.copytree(CHECKOUT, path, ignore=NOT_COPIED)
        path.chmod(0o755)
        checkout = Checkout(path)
        up = checkout.run("up")
        assert up.returncode == 0, up.stderr
        checkout.startup_output = up.stdout
        yield checkout
        checkout.run("down")


def is_gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def end_all_but_data(checkout: Checkout) -> None:
    """As after a power cut: no process, all files."""
    for pid in checkout.stack_json()["pids"].values():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(map(is_gone, checkout.stack_json()["pids"].values())), 60, "all processes are gone")


def test_stack_json_is_complete_and_its_owners_alone(checkout: Checkout):
    assert checkout.stack_file.stat().st_mode & 0o777 == 0o600
    assert checkout.stack_file.stat().st_uid == os.geteuid()
    stack = checkout.stack_json()
    addresses = {"url", "database_url", "redis_url", "broker_url", "mail", "bank", "metrics"}
    assert set(stack) == addresses | {"secret_key", "receipt_key", "second_factor_keys", "ops_token", "users", "pids"}
    servers, processes = {"postgres", "valkey", "bank"}, {"gateway", "posting", "housekeeping"}
    assert set(stack["pids"]) == {"supervisor"} | servers | processes
    assert not any(map(is_gone, stack["pids"].values()))
    assert api.call(f"{stack['url']}/v1/payments?limit=1", stack["ops_token"])["data"] is not None


def test_each_user_of_the_demonstration_can_sign_in(checkout: Checkout):
    stack = checkout.stack_json()
    for user in stack["users"].values():
        credentials = {name: user[name] for name in ("email", "password")}
        assert api.call(f"{stack['url']}/v1/sessions", body=credentials)["token"]


def test_run_env_is_read_alike_by_any_shell(checkout: Checkout):
    stack = checkout.stack_json()
    file = checkout.path / ".run" / "env"
    assert file.stat().st_mode & 0o777 == 0o600
    before, after = "set > before", "set > after"
    script = f"{before}; . .run/env; . .run/env; {after}; echo $URL $OPS $ALICE $BOBS_WALLET; command -v flask pick"
    done = subprocess.run(
        ["/bin/dash", "-euc", script], cwd=checkout.path, capture_output=True, text=True, check=False
    )  # fmt: skip
    values = [stack["url"], stack["ops_token"], stack["users"]["alice"]["token"], stack["users"]["bob"]["wallet"]]
    programs = [f"{sys.prefix}/bin/flask", f"{checkout.path}/docs/guides/bin/pick"]
    assert done.stdout.split() == values + programs[:1], done.stderr
    names = {line.partition("=")[0] for line in (checkout.path / "after").read_text().splitlines()}
    names -= {line.partition("=")[0] for line in (checkout.path / "before").read_text().splitlines()}
    wallets = {"ALICES_WALLET", "BOBS_WALLET", "SHOPS_WALLET"}
    people = {"OPS", "ALICE", "BOB", "SHOP"}
    others = {"URL", "MAIL_DIR", "BANK", "METRICS_URLS", "METRICS_TOKEN"}
    assert names == others | people | {f"{name}_PASSWORD" for name in people} | wallets
    path = next(line for line in (checkout.path / "after").read_text().splitlines() if line.startswith("PATH="))
    assert path.count("docs/guides/bin") == 1


def test_no_secret_is_in_the_environment_that_proc_shows(checkout: Checkout):
    stack = checkout.stack_json()
    for name in ("gateway", "posting", "housekeeping"):
        environ = Path(f"/proc/{stack['pids'][name]}/environ").read_text()
        assert "DATABASE_URL=" not in environ
        assert "_KEY" not in environ


def test_servers_listen_on_no_port(checkout: Checkout):
    stack = checkout.stack_json()
    for server in ("postgres", "valkey"):
        sockets = {entry.readlink().name for entry in Path(f"/proc/{stack['pids'][server]}/fd").iterdir()}
        listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        inodes = {f"socket:[{line.split()[9]}]" for line in listening.splitlines() if " 0A " in line}
        assert not sockets & inodes


def test_up_again_is_the_same_stack(checkout: Checkout):
    before = checkout.stack_json()
    again = checkout.run("up")
    assert again.returncode == 0
    assert "running already" in again.stdout
    assert checkout.stack_json() == before


def test_up_reports_start_and_migrations_or_already_running(checkout: Checkout):
    revisions = sorted(path.name[:4] for path in (CHECKOUT / "migrations" / "versions").glob("*.py"))
    assert sorted(re.findall(r"^migrated to (\w+):", checkout.startup_output, re.M)) == revisions
    assert "running already" not in checkout.startup_output


def test_the_logs_of_an_idle_stack_do_not_grow(checkout: Checkout):
    """Over a time in which every worker is seen to have done several rounds of the timetable."""
    logs = [path for path in (checkout.path / ".run" / "logs").glob("*.log") if path.stem not in SERVERS]
    engine = create_engine(database_urls.normalized(checkout.stack_json()["database_url"]), poolclass=NullPool)

    def heartbeats() -> dict[str, datetime]:
        with engine.connect() as connection:
            return dict(connection.exec_driver_sql("SELECT name, seen_at FROM worker_heartbeats").all())

    eventually(lambda: {name.partition("@")[0] for name in heartbeats()} >= WORKERS, 60, "all workers have been seen")

    def do_not_grow() -> bool:
        sizes, began = {path.name: path.stat().st_size for path in logs}, heartbeats()
        eventually(lambda: all(heartbeats()[name] - at > SEVERAL_ROUNDS for name, at in began.items()), 120, "later")
        return {path.name: path.stat().st_size for path in logs} == sizes

    assert any(do_not_grow() for _ in range(3)), "last words of starting are written once, others in every round"


def test_a_second_supervisor_is_refused(checkout: Checkout):
    refused = checkout.run("run")
    assert refused.returncode == 1
    assert "runs already" in refused.stderr
    assert checkout.run("status").returncode == 0


def test_the_demonstration_reaches_completed(checkout: Checkout):
    shown = checkout.run("demo")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.index("INITIATED") < shown.stdout.index("COMPLETED")
    assert checkout.stack_json()["url"] in shown.stdout


@pytest.mark.parametrize("name", ["gateway", "posting", "housekeeping", "valkey", "postgres"])
def test_what_crashes_is_started_again(checkout: Checkout, name: str):
    pid = checkout.stack_json()["pids"][name]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: checkout.stack_json()["pids"][name] != pid, 90, f"{name} runs again")
    eventually(lambda: api.is_ready(checkout.stack_json()["url"]), 90, "the gateway is ready")
    assert checkout.run("demo").returncode == 0


def test_after_a_power_cut_it_resumes_with_its_data(checkout: Checkout):
    checkout.run("demo")
    before = checkout.stack_json()
    alice = before["users"]["alice"]
    balance = api.call(f"{before['url']}/v1/wallets/{alice['wallet']}", alice["token"])["balance"]
    end_all_but_data(checkout)
    up = checkout.run("up")
    assert up.returncode == 0, up.stderr
    after = checkout.stack_json()
    assert after["users"] == before["users"]
    assert after["secret_key"] == before["secret_key"]
    assert api.call(f"{after['url']}/v1/wallets/{alice['wallet']}", alice["token"])["balance"] == balance


def test_commands_in_the_checkout_find_the_stack(checkout: Checkout):
    kept = {key: value for key, value in os.environ.items() if key not in TOLD_BY_US}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "payments", "stuck"],
        cwd=checkout.path, env=kept | ELSEWHERE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "none\n"), done.stderr


def test_given_servers_are_used_instead_of_its_own(checkout: Checkout):
    """The first stack's servers serve the demonstration of a second checkout."""
    stack = checkout.stack_json()
    with homes.temporary() as home:
        other = Checkout(home.path / "other")
        shutil.copytree(CHECKOUT, other.path, ignore=NOT_COPIED)
        other.path.chmod(0o755)
        shown = other.run("demo", DATABASE_URL=stack["database_url"], REDIS_URL=stack["redis_url"])
        assert shown.returncode == 0, shown.stderr
        assert "COMPLETED" in shown.stdout
        assert not (other.path / ".run" / "postgres").exists()
        assert not (other.path / ".run" / "valkey").exists()


def test_down_leaves_nothing_running_and_may_be_said_twice(checkout: Checkout):
    pids = checkout.stack_json()["pids"]
    assert checkout.run("down").returncode == 0
    assert all(map(is_gone, pids.values()))
    assert not checkout.stack_file.exists()
    assert checkout.run("down").returncode == 0
    assert checkout.run("status").returncode == 1


def test_a_stack_that_cannot_start_says_why(checkout: Checkout):
    failed = checkout.run("up", DATABASE_URL="postgresql://nobody:x@/nowhere?host=/nonexistent")
    assert failed.returncode == 1
    assert "did not start" in failed.stderr
    assert "/nonexistent" in failed.stderr


@contextmanager
def run_in_the_foreground(checkout: Checkout) -> Iterator[subprocess.Popen[str]]:
    """`run` in the stopped checkout, as at a terminal."""
    checkout.run("down")
    kept = {key: value for key, value in os.environ.items() if key not in TOLD_BY_US}
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "embedded", "run"],
        cwd=checkout.path, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=heeding_signals,  # noqa: PLW1509 - one line, and then exec
    ) as running:  # fmt: skip
        yield running


def read_until(running: subprocess.Popen[str], text: str) -> str:
    """Its output up to the line with the text."""
    shown = ""
    while text not in shown:
        line = running.stdout.readline()
        assert line, f"it ended: {shown}"
        shown += line
    return shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_run_shows_a_payment_and_nothing_outlives_it(checkout: Checkout, number: signal.Signals):
    with run_in_the_foreground(checkout) as running:
        shown = read_until(running, "Ctrl-C")
        pids = checkout.stack_json()["pids"]
        (checkout.path / ".run" / "logs" / "supervisor.log").unlink(missing_ok=True)
        again = checkout.run("up")
        assert again.returncode == 0, again.stderr
        assert "running already" in again.stdout
        running.send_signal(number)
        shown += running.stdout.read()
        assert running.wait() == (0 if number == signal.SIGINT else -number), shown
    assert shown.index("INITIATED") < shown.index("COMPLETED") < shown.index("Ctrl-C")
    assert ("ended; the data stays" in shown) == (number == signal.SIGINT)
    screen = shown[shown.index("Alice deposits") : shown.index("Ctrl-C ends it; the data stays.")].splitlines()
    assert len(screen) + 2 < SCREEN_LINES, "the demonstration and how to go on, before the next prompt"
    assert max(map(len, screen)) <= SCREEN_COLUMNS
    for text in (
        "URL: http://127.0.0.1:",
        "docs: http://",
        "ops token: pay_",
        "console: http://",
        "in a second terminal",
        ". .run/env",
    ):
        assert text in shown
    eventually(lambda: all(map(is_gone, pids.values())), 120, "no orphan is left")
    assert checkout.run("status").returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_start_leaves_nothing(checkout: Checkout, number: signal.Signals):
    with run_in_the_foreground(checkout) as running:
        shown = read_until(running, "starting in")
        started = eventually(lambda: psutil.Process(running.pid).children(recursive=True), message="a server starts")
        running.send_signal(number)
        shown += running.stdout.read()
        assert running.wait() == 1, shown
    assert "Traceback" not in shown
    eventually(lambda: not any(child.is_running() for child in started), 60, "no orphan is left")
    assert checkout.run("status").returncode == 1
