"""Access tokens over HTTP: refused if malformed, ended or of an inactive user, and stored as hashes."""

import pytest

from gateway.auth.tokens import CACHE_SECONDS
from models import token as tokens
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import eventually


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "bearer x", "Bearer null", "Token {}",
     "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer {}x", "Bearer x{}", "Bearer {} {}", "Bearer {}\x00",
     "Bearer {}, Bearer {}"],
)  # fmt: skip
def test_n15_n26_tokens_that_are_none(api: ApiHarness, client: ApiUser, header: str) -> None:
    headers = {"Authorization": header.replace("{}", client.token)} if header else {}
    answer = api.anonymous().call("GET", "/v1/wallets", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="payments"')


def test_n26_a_truncated_or_edited_token(api: ApiHarness, client: ApiUser) -> None:
    edited = client.token[:10] + ("x" if client.token[10] != "x" else "y") + client.token[11:]
    for token in (client.token[:-1], edited, client.token.upper(), tokens.new()):
        answer = ApiUser(api, client.id, token).get("/v1/wallets")
        assert (answer.status_code, answer.get_json()["code"]) == (401, "token_invalid")


@pytest.mark.parametrize(
    ("fate", "status"),
    [
        ("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", 401),
        ("UPDATE tokens SET expires_at = now() WHERE user_id = %s", 401),
        ("UPDATE users SET is_active = false WHERE id = %s", 403),
    ],
)
def test_n11_n26_n30_an_end_takes_effect_within_a_second(
    api: ApiHarness, client: ApiUser, fate: str, status: int
) -> None:
    assert client.get("/v1/wallets").status_code == 200
    api.execute(fate, client.id)
    eventually(lambda: client.get("/v1/wallets").status_code == status, seconds=CACHE_SECONDS + 0.5)


def test_n27_only_the_hash_is_stored(api: ApiHarness, client: ApiUser) -> None:
    [kept] = api.execute("SELECT encode(hash, 'hex') FROM tokens WHERE user_id = %s", client.id)
    assert kept == tokens.hash_of(client.token).hex()
    assert not api.execute("SELECT 1 FROM tokens t WHERE strpos(t::text, %s) > 0", client.token)


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "authorization"])
def test_n28_a_token_in_the_query_is_refused_and_not_logged(
    api: ApiHarness, client: ApiUser, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert api.anonymous().get(f"/v1/wallets?{name}={client.token}").status_code == 401
    answer = client.get(f"/v1/currencies?{name}={client.token}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_parameter")
    assert client.token not in answer.get_data(as_text=True)
    assert client.token not in "".join(capfd.readouterr())


def test_last_used_is_noted(api: ApiHarness, client: ApiUser) -> None:
    assert api.execute("SELECT last_used_at FROM tokens WHERE user_id = %s", client.id) == [None]
    client.get("/v1/wallets")
    assert api.execute("SELECT last_used_at IS NOT NULL FROM tokens WHERE user_id = %s", client.id) == [True]
