"""Cursors, parameter names and the idempotency key have one spelling, and are accepted in no other."""

import string
from collections.abc import Iterator

import pytest
from itsdangerous.encoding import base64_decode

from tests.gateway.harness import ApiHarness, ApiUser

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


def other_spellings(cursor: str) -> Iterator[str]:
    """Texts that a lenient reader of base64 takes for the cursor."""
    parts = cursor.split(".")
    for place, part in enumerate(parts):
        others = {f"{part}=", f"{part}==", f"{part}===="}
        others |= {part[:-1] + last for last in ALPHABET if last != part[-1:] and part}
        for other in others:
            if base64_decode(other.rstrip("=")) == base64_decode(part):
                yield ".".join([*parts[:place], other, *parts[place + 1 :]])


@pytest.mark.parametrize(("path", "parameter"), [("/v1/payments?limit=1", "cursor"), ("/v1/events?limit=1", "after")])
def test_a_cursor_has_one_spelling(client: ApiUser, path: str, parameter: str) -> None:
    customer_wallet, other = client.wallet("10.00"), client.wallet()
    for _ in range(2):
        client.order("/v1/transfers", {"source": customer_wallet, "target": other, "amount": "1.00", "currency": "EUR"})
    cursor = client.get(path).get_json()["next_cursor"]
    assert client.get(f"{path}&{parameter}={cursor}").status_code == 200
    tried = list(other_spellings(cursor))
    assert len(tried) > 3
    for spelt in tried:
        answer = client.get(f"{path}&{parameter}={spelt}")
        assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_cursor"), spelt


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/wallets", "/v1/me", "/v1/currencies"])
@pytest.mark.parametrize("query", ["&", "&&&"])
def test_a_query_that_names_nothing(client: ApiUser, path: str, query: str) -> None:
    answer = client.get(f"{path}?{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_parameter")


@pytest.mark.parametrize(
    "name", ["metadata[a][b]", "metadata[[a]]", "metadata[]", "metadata[a", "metadata[a]b", "metadata"]
)
def test_metadata_is_asked_for_by_one_name(client: ApiUser, name: str) -> None:
    answer = client.call("GET", "/v1/payments", query_string={name: "x"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_parameter")


@pytest.mark.parametrize("joined", ["k1,k2", "k,k", "k1, k2", '"k1","k2"', '"k1", "k2"', "k,", ","])
def test_two_idempotency_keys(api: ApiHarness, client: ApiUser, joined: str) -> None:
    """As a server joins two headers of one name."""
    customer_wallet, other = client.wallet(), client.wallet()
    order = {"source": customer_wallet, "target": other, "amount": "1.00", "currency": "EUR"}
    with api.unchanged():
        overrides = {"HTTP_IDEMPOTENCY_KEY": joined}
        answer = client.call("POST", "/v1/transfers", json=order, environ_overrides=overrides)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency_key_invalid")
    assert client.order("/v1/transfers", order, '"a,b"').status_code == 202
