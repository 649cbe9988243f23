"""Deployment: the compose file, the image, the secrets of a new environment, the hooks, the published texts."""

import re
import tomllib

import database_urls
import settings
from deploy import make_env
from embedded.home import CHECKOUT
from tests.source_files import PRODUCT, run_tool


def test_the_compose_file_is_valid():
    run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_compose_has_no_default_secret_and_separates_roles():
    text = (CHECKOUT / "docker-compose.yml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == set(make_env.environment()), "deploy/make_env.py makes each required variable"
    example = re.findall(r"^#?(\w+)=(.*)$", (CHECKOUT / ".env.example").read_text(), re.M)
    assert {name for name, value in example if not value} == required, "leave secrets empty in .env.example"
    assert {name for name, _ in example} == set(re.findall(r"\$\{(\w+):", text)), "write each variable to .env.example"
    services = dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", text.partition("\nservices:\n")[2], re.M))
    processes = {"migrate", "gateway", "posting", "upkeep", "rails", "webhooks", "beat"}
    assert set(services) == processes | {"postgres", "valkey", "bank"}
    assert "environment: *" not in services["bank"], "the simulated bank gets no setting of the product"
    owners = {name for name, body in services.items() if re.search(r"\bDATABASE_URL|OWNER_PASSWORD", body)}
    migrating = {name for name in owners if re.search(r"(?<!_)\bDATABASE_URL:|OWNER_PASSWORD", services[name])}
    assert migrating == {"postgres", "migrate"}, "only migrations get the password of the owner"
    assert "WORKER" not in services["gateway"].replace("GATEWAY_WORKERS", ""), (
        "the gateway gets no password of a worker"
    )
    assert all("healthcheck:" in body for body in services.values()), "write a health check for each service"


def test_new_passwords_are_those_the_migration_sets():
    made = make_env.environment()
    url = f"postgresql://payments:{made['OWNER_PASSWORD']}@postgres/payments"
    assert made["WORKER_PASSWORD"] == database_urls.role_password(url, settings.WORKER_ROLE)
    assert made["GATEWAY_PASSWORD"] == database_urls.role_password(url, settings.GATEWAY_ROLE)
    assert make_env.environment()["OWNER_PASSWORD"] != made["OWNER_PASSWORD"]


def test_the_image_is_well_made():
    run_tool("hadolint", "Dockerfile")
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
