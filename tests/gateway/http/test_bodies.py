"""N43 to N51 over HTTP: bodies that are no order are refused before they are read."""

import gzip
import io
import json

import pytest

from gateway.http.parsing import BODY_BYTES_MAX
from tests.gateway.harness import ApiHarness, ApiUser

PATH = "/v1/transfers"
WALLET = "wal_" + "a" * 32
OTHER = "wal_" + "b" * 32
GOOD = {"source": WALLET, "target": OTHER, "amount": "1.00", "currency": "EUR"}


@pytest.fixture
def sender(api: ApiHarness) -> ApiUser:
    return api.person()


def refused(api: ApiHarness, sender: ApiUser, data: bytes, **kwargs: str) -> tuple[int, str]:
    with api.unchanged():
        answer = sender.raw(PATH, data, **kwargs)
    return answer.status_code, answer.get_json()["code"]


@pytest.mark.parametrize("depth", [33, 1_000, 30_000])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_n43_deep_nesting(api: ApiHarness, sender: ApiUser, depth: int, pair: str) -> None:
    opening = pair[0] if pair == "[]" else '{"a":'
    text = opening * depth + ("1" if pair == "{}" else "") + pair[1] * depth
    code = "json_too_deep" if len(text) <= BODY_BYTES_MAX else "body_too_large"
    assert refused(api, sender, text.encode()) == (400 if code == "json_too_deep" else 413, code)


def test_n43_unclosed_nesting(api: ApiHarness, sender: ApiUser) -> None:
    status, _ = refused(api, sender, b"[" * 50_000)
    assert status == 400


def test_depth_of_32_is_read(api: ApiHarness, sender: ApiUser) -> None:
    body = json.dumps(GOOD)[:-1] + ',"metadata":' + "[" * 31 + "]" * 31 + "}"
    assert refused(api, sender, body.encode()) == (422, "invalid_type")


def test_n44_body_above_the_limit_with_length(api: ApiHarness, sender: ApiUser) -> None:
    assert refused(api, sender, b" " * (BODY_BYTES_MAX + 1)) == (413, "body_too_large")


def test_n44_body_above_the_limit_chunked(api: ApiHarness, sender: ApiUser) -> None:
    with api.unchanged():
        answer = sender.call(
            "POST",
            PATH,
            input_stream=io.BytesIO(b" " * (BODY_BYTES_MAX + 1)),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True},
            headers={"Idempotency-Key": "k"},
        )
    assert (answer.status_code, answer.get_json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "text",
    ['{"amount":"1.00","amount":"2.00"}', '{"metadata":{"a":"1","a":"2"}}', '{"a":1,"\\u0061":2}', '[{"a":1,"a":1}]'],
)
def test_n45_duplicate_keys(api: ApiHarness, sender: ApiUser, text: str) -> None:
    assert refused(api, sender, text.encode()) == (400, "json_duplicate_key")


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=latin1",
        "application/vnd.api+json",
        "application/jsonp",
        "text/json",
    ],
)
def test_n46_content_types(api: ApiHarness, sender: ApiUser, content_type: str | None) -> None:
    outcome = refused(api, sender, json.dumps(GOOD).encode(), content_type=content_type)
    assert outcome == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
)
def test_json_in_whatever_words_is_taken(api: ApiHarness, sender: ApiUser, content_type: str) -> None:
    assert refused(api, sender, json.dumps(GOOD).encode(), content_type=content_type) == (404, "not_found")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"nul",
        b'{"a":1}x',
        b'{"a":1}{"a":1}',
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":0x10}',
        b'{"a":"\n"}',
        b"// comment\n{}",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"{\xef\xbb\xbf}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
    ],
)
def test_n47_malformed_json(api: ApiHarness, sender: ApiUser, data: bytes) -> None:
    assert refused(api, sender, data) == (400, "malformed_json")


@pytest.mark.parametrize("data", [b"[]", b"null", b'"text"', b"1", b"true", b"1e400"])
def test_json_that_is_no_object(api: ApiHarness, sender: ApiUser, data: bytes) -> None:
    assert refused(api, sender, data) == (422, "invalid_type")


@pytest.mark.parametrize(
    "summary",
    ["\x00", "a\x00b", "\ud800", "x\udfffx", "\u202eevil", "\u2066x", "a\nb", "a\x1b[31m", "\x7f", "\u0085", "\u2028"],
)
def test_n48_characters_that_are_no_text(api: ApiHarness, sender: ApiUser, summary: str) -> None:
    body = json.dumps({**GOOD, "summary": summary})
    assert refused(api, sender, body.encode()) == (422, "text_invalid")


@pytest.mark.parametrize(
    ("summary", "code"),
    [("x" * 71, "text_too_long"), ("é" * 71, "text_too_long"), ("", "invalid_value"), (" ", "invalid_value")],
)
def test_n48_length_of_texts(api: ApiHarness, sender: ApiUser, summary: str, code: str) -> None:
    assert refused(api, sender, json.dumps({**GOOD, "summary": summary}).encode()) == (422, code)


def test_n48_a_memo_of_megabytes(api: ApiHarness, sender: ApiUser) -> None:
    body = json.dumps({**GOOD, "summary": "x" * 10_000_000})
    assert refused(api, sender, body.encode()) == (413, "body_too_large")


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        "text",
        {"a": 1},
        {"a": None},
        {"a": {"b": "c"}},
        {"": "x"},
        {"a" * 41: "x"},
        {"a": "x" * 501},
        {"a\x00": "x"},
        {"a": "\ud800"},
        {f"n{number}": "x" for number in range(21)},
        {"\u00e9": "composed", "e\u0301": "decomposed"},
    ],
)
def test_n48_n49_metadata(api: ApiHarness, sender: ApiUser, metadata: object) -> None:
    status, _ = refused(api, sender, json.dumps({**GOOD, "metadata": metadata}).encode())
    assert status == 422


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_n51_compressed_bodies(api: ApiHarness, sender: ApiUser, encoding: str) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    outcome = refused(api, sender, bomb, **{"Content-Encoding": encoding})
    assert outcome == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "name",
    [
        "status",
        "state",
        "balance",
        "owner_id",
        "fee",
        "commission",
        "created_at",
        "id",
        "role",
        "is_staff",
        "user_id",
        "__proto__",
    ],
)
def test_n16_mass_assignment(api: ApiHarness, sender: ApiUser, name: str) -> None:
    with api.unchanged():
        answer = sender.order(PATH, {**GOOD, name: "1"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "unknown_field")
    assert answer.get_json()["errors"][0]["pointer"] == f"/{name}"


def test_all_errors_are_answered_at_once_with_pointers(sender: ApiUser) -> None:
    answer = sender.order(PATH, {"source": 1, "amount": 1, "currency": "EUR", "a/b~c": 0})
    assert answer.get_json()["code"] == "validation_failed"
    flaws = {flaw["pointer"]: flaw["code"] for flaw in answer.get_json()["errors"]}
    assert flaws == {
        "/source": "invalid_type",
        "/target": "required",
        "/amount": "amount_must_be_string",
        "/a~1b~0c": "unknown_field",
    }


def test_a_flood_of_unknown_members_gives_a_short_answer(sender: ApiUser) -> None:
    answer = sender.order(PATH, {f"{number:03}" + "n" * 200: number for number in range(250)})
    assert answer.status_code == 422
    assert len(answer.get_json()["errors"]) == 20
    assert len(answer.get_data()) < 6_000
