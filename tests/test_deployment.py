"""Deployment: the compose file, the image, the secrets of a new environment, the hooks, the published texts."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from sqlalchemy import make_url

import database_urls
import settings
from deploy import make_secrets
from embedded.home import CHECKOUT
from tests.source_files import PRODUCT, run_tool


def test_the_compose_file_is_valid():
    run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_compose_has_no_default_secret_and_separates_roles():
    text = (CHECKOUT / "docker-compose.yml").read_text()
    example = re.findall(r"^#?(\w+)=(.*)$", (CHECKOUT / ".env.example").read_text(), re.M)
    assert {name for name, _ in example} == set(re.findall(r"\$\{(\w+):", text)), "write each variable to .env.example"
    services = yaml.safe_load(text)["services"]
    given = {name: set(body.get("secrets", [])) for name, body in services.items()}
    owners = {name for name, files in given.items() if files & {"owner_password", "database_url"}}
    assert owners == {"postgres", "migrate"}, "only migrations get the password of the owner"
    gateways = {name for name, files in given.items() if "gateway_database_url" in files}
    assert gateways == {"gateway-1", "gateway-2"}
    assert all(not name.startswith("worker_") for gateway in gateways for name in given[gateway])
    assert given["bank"] == set() and services["bank"]["environment"].keys() == {"BANK_FILE"}, (
        "no setting of the product"
    )


def test_new_passwords_are_those_the_migration_sets():
    made = make_secrets.secrets(postgres="there:6000")
    urls = {name: make_url(made[f"{name}_database_url"]) for name in ("worker", "gateway")}
    for name, role in (("worker", settings.WORKER_ROLE), ("gateway", settings.GATEWAY_ROLE)):
        assert urls[name].username == role
        assert urls[name].password == database_urls.role_password(made["database_url"], role)
        assert f'"{role}" "{urls[name].password}"' in made["pgbouncer_users"].splitlines()
    assert make_url(made["database_url"]).port == 6000 and made["owner_password"] in made["database_url"]
    assert make_secrets.secrets()["owner_password"] != made["owner_password"]


def test_secrets_in_use_are_never_replaced(tmp_path: Path):
    make_secrets.write(tmp_path / "secrets")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700, "files in it may be read by users of containers"
    before = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    with pytest.raises(FileExistsError):
        make_secrets.write(tmp_path / "secrets")
    assert before == {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}


def test_the_image_is_well_made():
    run_tool("hadolint", "Dockerfile", "deploy/Dockerfile")
    text = (CHECKOUT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", text, re.M)
    copied = set(re.findall(r"^!(\S+)$", (CHECKOUT / ".dockerignore").read_text(), re.M))
    bank = {"embedded/__init__.py", "embedded/bank.py"}
    assert copied == {*PRODUCT, "migrations", "requirements.txt", "requirements-telemetry.txt", "pyproject.toml", *bank}


def test_the_image_has_what_telemetry_needs():
    def pinned(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+==\S+)", (CHECKOUT / name).read_text(), re.M))

    text = (CHECKOUT / "Dockerfile").read_text()
    assert "ARG REQUIREMENTS=requirements-telemetry.txt" in text
    assert '--requirement "/$REQUIREMENTS"' in text
    assert pinned("requirements.txt") < pinned("requirements-telemetry.txt")
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = {re.split(r"[>=]", package)[0] for packages in extras.values() for package in packages}
    assert wanted <= {package.partition("==")[0] for package in pinned("requirements-telemetry.txt")}


def test_the_hooks_before_a_commit_fetch_nothing():
    run_tool("pre-commit", "validate-config", ".pre-commit-config.yaml")
    text = (CHECKOUT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (\S+)", text) == ["local"]
    assert set(re.findall(r"language: (\S+)", text)) == {"system"}


def test_what_is_published_agrees_with_the_project_file():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT"
    assert "the payments authors" in (CHECKOUT / "LICENSE").read_text()
    assert "## [Unreleased]" in (CHECKOUT / "CHANGELOG.md").read_text()
