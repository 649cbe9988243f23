"""SSRF check of webhook URLs: N62, N63, N65."""

import socket
import threading
from typing import Any

import pytest

from gateway.webhooks import url_check
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.webhooks.helpers import PATH, ask_for, endpoint
from tests.ssrf_cases import ADDRESSES, URLS
from tests.support import Database, eventually


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The addresses that names resolve to, to be filled."""
    known: dict[str, list[str]] = {}

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(None, None, None, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The addresses that sockets were connected to over a network."""
    made: list[object] = []
    connect = socket.socket.connect

    def noted(line: socket.socket, address: Any) -> None:
        if not isinstance(address, str):
            made.append(address)
        connect(line, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return made


def test_n62_n65_internal_url_is_refused(
    api: ApiHarness, client: ApiUser, names: dict[str, list[str]], connections: list[object]
) -> None:
    names["good.example"] = ["8.8.8.8"]
    path = f"{PATH}/{endpoint(client)}"
    with api.unchanged():
        for url in URLS:
            creation = ask_for(client, url=url)
            change = client.call("PATCH", path, json={"url": url}, headers={"If-Match": "*"})
            for answer in (creation, change):
                assert answer.status_code == 422, url
                [flaw] = answer.get_json()["errors"]
                assert flaw["pointer"] == "/url"
                assert flaw["code"] in {"url_not_allowed", "text_invalid", "text_too_long", "invalid_value"}
    assert connections == []


def test_n63_every_address_of_a_name_is_checked(
    api: ApiHarness, client: ApiUser, names: dict[str, list[str]], connections: list[object]
) -> None:
    details = set()
    with api.unchanged():
        for address in ADDRESSES:
            names.update({"inside.example": [address], "both.example": ["8.8.8.8", address], "no.example": []})
            for name in ("inside", "both", "no", "unknown"):
                answer = ask_for(client, url=f"https://{name}.example/")
                assert (answer.status_code, answer.get_json()["code"]) == (422, "url_not_allowed"), (name, address)
                details.add(answer.get_json()["detail"])
    assert len(details) == 1, "it says which names our network knows"
    assert connections == []


@pytest.mark.parametrize(
    "url", ["https://good.example", "https://GOOD.example:8443/a?b=c", "https://[2001:4860::8888]/"]
)
def test_public_url_is_accepted(
    client: ApiUser, names: dict[str, list[str]], connections: list[object], url: str
) -> None:
    names["good.example"] = ["8.8.8.8", "2001:4860:4860::8888"]
    assert ask_for(client, url=url).get_json()["url"] == url
    assert connections == []


def test_name_that_never_resolves_is_refused(client: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(url_check, "RESOLVE_SECONDS_MAX", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(60) and [])
    assert ask_for(client, url="https://slow.example/").get_json()["code"] == "url_not_allowed"
    answered.set()


def test_slow_names_of_one_user_do_not_delay_others(
    client: ApiUser, stranger: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, resolved = threading.Event(), []

    def ask(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        resolved.append(host)
        if host == "slow.example":
            answered.wait(60)
        return [(None, None, None, "", ("8.8.8.8", port))]

    monkeypatch.setattr(url_check, "RESOLVE_SECONDS_MAX", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", ask)
    for _ in range(url_check.RESOLVERS_MAX):
        assert ask_for(client, url="https://slow.example/").get_json()["code"] == "url_not_allowed"
    assert resolved == ["slow.example"] * url_check.RESOLVING_PER_USER_MAX
    monkeypatch.setattr(url_check, "RESOLVE_SECONDS_MAX", 30)
    assert ask_for(stranger, url="https://good.example/").status_code == 201
    answered.set()
    eventually(lambda: ask_for(client, url="https://good.example/").status_code == 201)


def test_network_allowed_by_settings_is_accepted(fresh_database: Database) -> None:
    lab = ApiHarness(fresh_database, webhook_http=True, webhook_networks=("127.0.0.0/8",))
    person = lab.person()
    assert ask_for(person, url="http://127.0.0.1:5000/hooks").status_code == 201
    assert ask_for(person, url="http://192.168.0.1/hooks").status_code == 422
