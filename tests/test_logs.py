"""Logs are one JSON object a line, whatever ends a process, and whichever library writes."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import logs
from embedded.home import CHECKOUT
from embedded.shapes import BANK, SHAPES
from tests.gateway.harness import SECOND_FACTOR_KEY, SECRET_KEY
from tests.support import Database, Postgres, entries_of

NOWHERE = "postgresql+psycopg2://payments_gateway:x@127.0.0.1:1/x"
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")},
    "GATEWAY_DATABASE_URL": NOWHERE,
    "WORKER_DATABASE_URL": NOWHERE,
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": SECRET_KEY,
    "SECOND_FACTOR_KEYS": SECOND_FACTOR_KEY,
    "GATEWAY_BIND": "127.0.0.1:0",
    "PYTHONPATH": str(CHECKOUT),
}


def run(arguments: list[str], cwd: Path = CHECKOUT, **environ: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit status of a program that ends by itself, and its log entries on both streams."""
    program = [sys.executable, *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 120}
    done = subprocess.run(program, check=False, cwd=cwd, env=ENVIRON | environ, **options)
    return done.returncode, entries_of(done.stdout)


def script(text: str, **environ: str) -> tuple[int, list[dict[str, Any]]]:
    """The log entries of a program that has taken over its streams."""
    return run(["-c", f"import logs; logs.take_over()\n{text}"], **environ)


def test_what_is_printed_is_an_entry() -> None:
    status, entries = script(
        "import sys, warnings, logging\n"
        "print('one'); print('two\\nthree'); print('\\x1b[31mred\\x1b[0m', file=sys.stderr); print()\n"
        "print(end='begun '); print('and ended'); warnings.warn('odd'); logging.getLogger('lxml').error('line %d', 7)\n"
        "sys.stderr.write('Authorization: pay_' + 'a' * 47); print(file=sys.stderr)\n"
        "logging.getLogger('x').info('%d', 'no number')\n"
    )
    said = [entry["event"] for entry in entries]
    assert status == 0
    assert said[:4] == ["one", "two\nthree", "red", "begun and ended"]
    assert "UserWarning: odd" in said[4]
    assert said[5:8] == ["line 7", "Authorization: pay_...aaaa", "--- Logging error ---"]
    assert [entry["level"] for entry in entries[:3]] == ["info", "info", "error"]


FAILURES = {
    "exception": "raise ValueError('bad')",
    "thread": "import threading; t = threading.Thread(target=int, args=['bad']); t.start(); t.join()",
    "finalizer": "class A:\n    def __del__(self): int('bad')\na = A()\ndel a",
    "task of an event loop": (
        "import asyncio\n"
        "async def main():\n    t = asyncio.create_task(fails()); await asyncio.sleep(0); await asyncio.sleep(0)\n"
        "async def fails(): int('bad')\n"
        "asyncio.run(main())"
    ),
    "forked child": "import os\nif os.fork() == 0: int('bad')\nos.wait()",
}


@pytest.mark.parametrize("where", FAILURES)
def test_what_nobody_caught_is_an_entry_with_its_traceback(where: str) -> None:
    _, entries = script(FAILURES[where])
    failed = [entry for entry in entries if "Traceback" in entry.get("exception", "")]
    assert failed, entries
    assert all("ValueError" in entry["exception"] and "bad" in entry["exception"] for entry in failed)
    assert all(entry["level"] in ("error", "critical") for entry in failed)


def test_why_a_process_ends_is_an_entry() -> None:
    status, entries = script("raise SystemExit('worker refuses to start: fsync = off')")
    assert (status, entries[0]["event"]) == (1, "worker refuses to start: fsync = off")


def test_a_full_disk_stops_nothing() -> None:
    program = "import logs; logs.take_over(); import os; print('lost' * 9999)\nos.write(2, b'alive')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=CHECKOUT, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.stderr.startswith(b"alive")


GUNICORN, POSTING, BEAT = (SHAPES["separate"][name] for name in ("gateway", "posting", "beat"))


@pytest.mark.parametrize(
    ("command", "changes", "said"),
    [
        (GUNICORN, {"SECRET_KEY": "short"}, "SECRET_KEY must have at least"),
        (GUNICORN, {"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        (GUNICORN, {"GATEWAY_BIND": "{taken}"}, "Connection in use"),
        (GUNICORN, {"GATEWAY_DATABASE_URL": "{owner}"}, "gateway refuses to start"),
        ([*GUNICORN[:-1], "wsgi:nothing"], {}, "Failed to find attribute 'nothing' in 'wsgi'"),
        ([*BANK[:-1], "embedded.bank:nothing()"], {"GATEWAY_BIND": "127.0.0.1:0"}, "nothing"),
        (POSTING, {"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        (POSTING, {"WORKER_DATABASE_URL": "{owner}"}, "worker refuses to start"),
        (POSTING, {"WELCOME_BONUS": "much"}, "WELCOME_BONUS"),
        ([*POSTING, "--queues", "nowhere"], {}, "nowhere"),
        (BEAT, {"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        (["alembic", "-x", "logs=json", "-x", "url={owner}", "upgrade", "nowhere"], {}, "nowhere"),
        (["alembic", "-x", "logs=json", "-x", f"url={NOWHERE}", "upgrade", "head"], {}, "Connection refused"),
    ],
)
def test_a_process_that_does_not_start_says_so_in_entries(
    database: Database, postgres: Postgres, command: list[str], changes: dict[str, str], said: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        values = {"taken": f"127.0.0.1:{listener.getsockname()[1]}", "owner": database.owner, "bind": "127.0.0.1:0"}
        environ = {name: value.format(**values) for name, value in changes.items()}
        status, entries = run(["-m", *(argument.format(directory="/tmp", **values) for argument in command)], **environ)
    assert status != 0
    assert any(said in entry["event"] + entry.get("exception", "") for entry in entries), entries


IBAN = "DE89370400440532013000"
SPACED = "DE89 3704 0044 0532 0130 00"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"to {IBAN}.", "to DE...3000."),
        (f"to {SPACED} AND ON", "to DE...3000 AND ON"),
        (f"{IBAN},{IBAN}", "DE...3000,DE...3000"),
        ("to NO9386011117947", "to NO...7947"),
        ("no IBAN: DE00370400440532013000", "no IBAN: DE00370400440532013000"),
        ("PY01A2345678901234567890", "PY01A2345678901234567890"),
        ("wal_" + "a" * 28 + "bcde", "wal_...bcde"),
        ("DETAIL:  Key (email)=(ann@example.com) exists.", "DETAIL:  ..."),
    ],
)
def test_ibans_tokens_and_rows_are_masked(text: str, masked: str) -> None:
    assert logs.masked(text) == masked


def test_every_member_of_a_line_is_masked_and_names_are_one_letter() -> None:
    line = logs.without_secrets(
        None, "info", {"event": f"paid {IBAN}", "error": SPACED, "to": "ann@example.com", "name": "Ann", "count": 3}
    )
    assert line == {"event": "paid DE...3000", "error": "DE...3000", "to": "a...", "name": "A...", "count": 3}
