"""Requests without a valid token: counted by address, and never at the cost of valid tokens."""

import pytest

from models import token as tokens
from tests.gateway.auth.rate_limits import assert_too_many
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import CANONICAL
from tests.support import Database


def unknown() -> str:
    """A well-formed token that no user has."""
    return tokens.new()


@pytest.fixture
def limited(database: Database) -> ApiHarness:
    """A gateway whose callers share one address, which has four requests of each kind."""
    return ApiHarness(database, rate_limit_address="4 per day")


GUESSES = {
    "none": "",
    "nonsense": "nonsense",
    "no checksum": "pay_" + "a" * 50,
    "no ASCII": "\xff",
    "well-formed": unknown(),
}


@pytest.mark.parametrize("odd", [{}, CANONICAL], ids=["lean", "canonical"])
@pytest.mark.parametrize("guess", GUESSES)
def test_requests_without_valid_token_use_up_no_users_share(
    limited: ApiHarness, guess: str, odd: dict[str, str]
) -> None:
    path = "/v1/payments/00000000-0000-7000-8000-000000000000"
    guessing = ApiUser(limited, "", GUESSES[guess])
    codes = [guessing.get(path, **odd).status_code for _ in range(12)]
    assert codes == [401] * 4 + [401 if guess == "none" else 429] * 8
    newcomer = limited.person()
    assert [newcomer.get(path, **odd).status_code for _ in range(5)] == [404, 404, 404, 404, 429]


@pytest.mark.parametrize("odd", [{}, CANONICAL], ids=["lean", "canonical"])
def test_401_comes_before_429(limited: ApiHarness, odd: dict[str, str]) -> None:
    client = limited.person()
    assert [client.get("/v1/wallets").status_code for _ in range(5)] == [200] * 4 + [429]
    for guess in ("", unknown()):
        assert ApiUser(limited, "", guess).order("/v1/deposits", {}, **odd).status_code == 401
    missing = [limited.anonymous().order("/v1/deposits", {}, **odd) for _ in range(10)]
    assert {answer.status_code for answer in missing} == {401}
    assert all("WWW-Authenticate" in answer.headers for answer in missing)


def test_token_guesses_past_the_limit_are_looked_up_in_turn(limited: ApiHarness) -> None:
    good, looked_up = limited.person(), []
    assert good.get("/v1/wallets").status_code == 200
    services = limited.app.extensions["gateway"]
    look_up = services.tokens._look_up
    services.tokens._look_up = lambda token, hash: looked_up.append(token) or look_up(token, hash)
    answers = [ApiUser(limited, "", unknown()).get("/v1/wallets") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 2
    assert_too_many(answers[-1], "address", 4)
    assert len(looked_up) == 6
    with services.tokens._suspect_lookups:
        assert_too_many(ApiUser(limited, "", unknown()).get("/v1/wallets"), "address", 4)
        assert len(looked_up) == 6
        services.tokens._cached = {hash: (0.0, caller) for hash, (_, caller) in services.tokens._cached.items()}
        assert good.get("/v1/wallets").status_code == 200, "was good before"
        elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
        assert ApiUser(limited, "", unknown()).call("GET", "/v1/wallets", **elsewhere).status_code == 401
    assert limited.person().get("/v1/wallets").status_code == 200


def test_a_token_that_ended_is_no_longer_one_that_was_good(limited: ApiHarness) -> None:
    person = limited.person()
    assert person.get("/v1/wallets").status_code == 200
    services = limited.app.extensions["gateway"]
    limited.execute("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", person.id)
    services.tokens._cached = {hash: (0.0, caller) for hash, (_, caller) in services.tokens._cached.items()}
    assert [person.get("/v1/wallets").status_code for _ in range(5)] == [401] * 4 + [429]
    assert not services.tokens._cached


def test_deactivated_user_is_answered_403_without_limit(limited: ApiHarness) -> None:
    person = limited.person()
    limited.execute("UPDATE users SET is_active = false WHERE id = %s", person.id)
    assert {person.get("/v1/wallets").status_code for _ in range(8)} == {403}


def test_public_routes_and_bad_hosts_count_by_address_alone(limited: ApiHarness) -> None:
    anonymous, client = limited.anonymous(), limited.person()
    assert anonymous.get("/v1/wallets", Host="evil").status_code == 400
    assert anonymous.call("OPTIONS", "/v1/wallets").status_code == 200
    assert client.get("/docs").status_code == 200, "a token that is not asked for does not count"
    assert client.get("/v1/nope").status_code == 404
    assert_too_many(client.get("/v1/nope"), "address", 4)
    assert_too_many(anonymous.get("/v1/wallets", Host="evil"), "address", 4)
    assert client.get("/v1/wallets").status_code == 200
