"""Upload of lines: streamed, stored in chunks, resumed by number, ended by the first invalid chunk."""

import io
from typing import Any

import pytest
from werkzeug.test import TestResponse

from gateway.bulks.schemas import LINES_MAX
from gateway.bulks.upload import BLOCK_BYTES, LINE_BYTES_MAX
from gateway.http.errors import PROBLEMS
from tests.gateway.bulks.builders import CHARGES, TRANSFERS, funds, line, lines, order, organization, read
from tests.gateway.bulks.uploads import CSV, JSON_LINES, OPEN, close, json_lines, put, table
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import at_once


@pytest.fixture
def opened(payer: ApiUser) -> TestResponse:
    """An open bulk of the payer's, without lines."""
    return payer.order(TRANSFERS, order(**OPEN))


def refused(answer: TestResponse) -> tuple[int, str, int | None]:
    body = answer.get_json()
    return answer.status_code, body["code"], body.get("lines")


@pytest.mark.parametrize(("media_type", "written"), [(JSON_LINES, json_lines), (CSV, table)])
def test_lines_are_streamed_and_kept_in_chunks(api: ApiHarness, media_type: str, written: Any) -> None:
    merchant, wallet = organization(api, "25.00")
    opened = merchant.order(TRANSFERS, order(**OPEN))
    assert (opened.status_code, opened.get_json()["total"], opened.get_json()["is_open"]) == (202, "0.00", True)
    sent_lines = [line("0.01", n, reference=f"A-{n}") for n in range(2 * LINES_MAX + 500)]
    answer = put(merchant, opened, written(sent_lines), media_type=media_type)
    assert (answer.status_code, answer.get_json()["counts"]["lines"]) == (200, len(sent_lines))
    assert answer.get_json()["total"] == "25.00"
    api.post_payments()
    assert funds(merchant, wallet) == ("25.00", "0.00")
    assert read(merchant, opened)["counts"]["authorized"] == len(sent_lines)
    assert close(merchant, opened).get_json()["is_open"] is False
    first = lines(merchant, opened)[0]
    assert (first["line"], first["reference"], first["description"]) == (1, "A-0", "Salary 0")


def test_upload_resumes_where_it_stopped(payer: ApiUser, opened: TestResponse) -> None:
    sent_lines = [line("0.01", n) for n in range(30)]
    assert put(payer, opened, json_lines(sent_lines[:20])).get_json()["counts"]["lines"] == 20
    assert put(payer, opened, json_lines(sent_lines)).get_json()["counts"]["lines"] == 30, "from the beginning"
    assert put(payer, opened, json_lines(sent_lines[10:]), "?from=11").get_json()["total"] == "0.30", "nothing new"
    more = [line("0.02", n) for n in range(5)]
    assert put(payer, opened, json_lines(more), "?from=31").get_json()["total"] == "0.40"
    assert refused(put(payer, opened, json_lines(more), "?from=37")) == (409, "bulk_out_of_step", 35)
    assert [sent["line"] for sent in lines(payer, opened)] == list(range(1, 36))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"amount": "0.001"}, "amount_precision"),
        ({"counterparty_iban": "DE00"}, "iban_invalid"),
        ({"reference": "A-5"}, "duplicate_reference"),
    ],
)
def test_upload_stops_at_the_first_invalid_line(
    api: ApiHarness, payer: ApiUser, opened: TestResponse, wrong: dict[str, str], code: str
) -> None:
    """All chunks before the invalid line are stored, its own and later chunks are not."""
    right = [line("0.01", n, reference=f"A-{n}") for n in range(LINES_MAX + 20)]
    sent_lines = [row | (wrong if n == LINES_MAX + 7 else {}) for n, row in enumerate(right)]
    answer = put(payer, opened, json_lines(sent_lines))
    assert refused(answer) == (PROBLEMS[code].status, code, LINES_MAX)
    pointers = [flaw["pointer"] for flaw in answer.get_json()["errors"]]
    assert pointers == [f"/credit_transfers/{LINES_MAX + 7}/{next(iter(wrong))}"]
    assert read(payer, opened)["counts"]["lines"] == LINES_MAX
    assert put(payer, opened, json_lines(right)).get_json()["counts"]["lines"] == LINES_MAX + 20


@pytest.mark.parametrize(
    ("media_type", "data", "pointer", "code"),
    [
        (JSON_LINES, b"{", "/credit_transfers/0", "malformed_json"),
        (JSON_LINES, b"\xff\n", "/credit_transfers/0", "malformed_json"),
        (JSON_LINES, b"[]\n", "/credit_transfers/0", "invalid_type"),
        (JSON_LINES, b'{"a": 1, "a": 2}\n', "/credit_transfers/0", "json_duplicate_key"),
        (JSON_LINES, json_lines([line()]) + b"x" * (LINE_BYTES_MAX + 1), "/credit_transfers/1", "text_too_long"),
        (JSON_LINES, b"x" * 3 * BLOCK_BYTES, "/credit_transfers/0", "text_too_long"),
        (JSON_LINES, json_lines([line()]) + b"\xef\xbb\xbf{}\n", "/credit_transfers/1", "malformed_json"),
        (CSV, b'amount,"', "", "invalid_value"),
        (CSV, b"amount\n1,2\n", "/credit_transfers/0", "invalid_value"),
        (CSV, table([line()]).replace(b"description", b"amount", 1), "", "invalid_value"),
        (CSV, b'amount\n"1\n', "/credit_transfers/0", "malformed_csv"),
        (CSV, table([line(), line(description="a\nb"), line()]), "/credit_transfers/1/description", "text_invalid"),
        (CSV, table([line(), line(description="x" * 141)]), "/credit_transfers/1/description", "text_too_long"),
        (CSV, table([line(salary="1")]), "/credit_transfers/0/salary", "unknown_field"),
    ],
)
def test_invalid_lines_are_refused(
    api: ApiHarness, payer: ApiUser, opened: TestResponse, media_type: str, data: bytes, pointer: str, code: str
) -> None:
    with api.unchanged():
        answer = put(payer, opened, data, media_type=media_type)
    assert answer.status_code == 422
    assert (pointer, code) in [(flaw["pointer"], flaw["code"]) for flaw in answer.get_json()["errors"]]


def test_empty_cell_and_byte_order_mark_are_left_out(payer: ApiUser, opened: TestResponse) -> None:
    data = b"\xef\xbb\xbf" + table([line(counterparty_bic="", counterparty_name='Smith, "J"')]) + b"\r\n"
    assert put(payer, opened, data, media_type=f"{CSV}; charset=utf-8").status_code == 200
    assert lines(payer, opened)[0]["counterparty"]["name"] == 'Smith, "J"'


def test_line_breaks_and_blank_lines_keep_line_numbers(api: ApiHarness, payer: ApiUser, opened: TestResponse) -> None:
    sent_lines = [line(n=n, counterparty_name="Smith\nJ" if n in (2, 5) else "Smith") for n in range(8)]
    data = table(sent_lines).replace(b"\r\n", b"\r\n\r\n  \r\n,,,,\r\n")
    with api.unchanged():
        answer = put(payer, opened, data, media_type=CSV)
    assert [flaw["pointer"] for flaw in answer.get_json()["errors"]] == [
        "/credit_transfers/2/counterparty_name",
        "/credit_transfers/5/counterparty_name",
    ]
    right = data.replace(b"Smith\nJ", b"Smith")
    assert put(payer, opened, right, media_type=CSV).get_json()["counts"]["lines"] == 8


def test_latin_1_is_named_by_its_line(api: ApiHarness, payer: ApiUser, opened: TestResponse) -> None:
    data = table([line(n=1), line(n=2, description="Caf\u00e9"), line(n=3)])
    with api.unchanged():
        answer = put(payer, opened, data.decode().encode("latin-1"), media_type=CSV)
    answer_body = answer.get_json()
    assert (answer.status_code, answer_body["code"], answer_body["lines"]) == (400, "malformed_csv", 0)
    assert [flaw["pointer"] for flaw in answer_body["errors"]] == ["/credit_transfers/1"]


@pytest.mark.parametrize(("media_type", "written"), [(JSON_LINES, json_lines), (CSV, table)])
def test_byte_order_mark_and_blanks_are_ignored(
    payer: ApiUser, opened: TestResponse, media_type: str, written: Any
) -> None:
    ids = {"reference": " A-1\u00a0", "instruction_id": " I  1 ", "end_to_end_id": "\tE1"}
    data = b"\xef\xbb\xbf" + written([line(**ids)])
    assert put(payer, opened, data, media_type=media_type).status_code == 200
    [shown] = lines(payer, opened)
    assert [shown[name] for name in ids] == ["A-1", "I 1", "E1"]


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "text/csv; charset=latin-1"])
def test_other_media_types_are_refused(api: ApiHarness, payer: ApiUser, opened: TestResponse, media_type: str) -> None:
    with api.unchanged():
        assert put(payer, opened, json_lines([line()]), media_type=media_type).status_code == 415


@pytest.mark.parametrize(
    "declared", ["application/X-NDJSON", f"{JSON_LINES}; charset=utf8", f'{JSON_LINES};charset="UTF-8"']
)
def test_content_type_is_case_insensitive(payer: ApiUser, opened: TestResponse, declared: str) -> None:
    assert put(payer, opened, json_lines([line()]), media_type=declared).status_code == 200


def test_line_cut_off_is_not_stored(api: ApiHarness, payer: ApiUser, opened: TestResponse) -> None:
    """A part of a CSV line can look like a complete line."""
    data = table([{**line(), "amount": "1400"}])
    with api.unchanged():
        answer = payer.call(
            "PUT",
            f"{opened.headers['Location']}/lines",
            input_stream=io.BytesIO(data[:-4]),
            content_type=CSV,
            environ_overrides={"CONTENT_LENGTH": str(len(data)), "wsgi.input_terminated": True},
        )
    assert (answer.status_code, answer.get_json()["code"]) == (400, "bad_request")


def test_a_closed_bulk_takes_no_more(api: ApiHarness) -> None:
    merchant, _ = organization(api, "1.00")
    opened = merchant.order(TRANSFERS, order(**OPEN))
    assert refused(close(merchant, opened)) == (409, "bulk_empty", None)
    put(merchant, opened, json_lines([line("5.00")]))
    api.post_payments()
    assert read(merchant, opened)["state"] == "INITIATED", "more may come"
    assert close(merchant, opened).get_json()["state"] == "FAILED"
    with api.unchanged():
        assert close(merchant, opened).status_code == 200
        assert refused(put(merchant, opened, json_lines([line()]), "?from=2")) == (409, "bulk_closed", None)
    immediate = merchant.order(TRANSFERS, order(line(), mode="best_effort"))
    assert refused(put(merchant, immediate, json_lines([line()]))) == (409, "bulk_closed", None)


def test_close_checks_the_number_of_lines(api: ApiHarness, payer: ApiUser, opened: TestResponse) -> None:
    path = f"{opened.headers['Location']}/close"
    put(payer, opened, json_lines([line(n=n) for n in range(3)]))
    with api.unchanged():
        for count in (2, 4, 0):
            assert refused(payer.call("POST", path, json={"lines": count})) == (409, "bulk_out_of_step", 3)
        for strange in (-1, "3", 3.0, 100_001):
            assert payer.call("POST", path, json={"lines": strange}).status_code == 422
    assert payer.call("POST", path, json={"lines": 3}).get_json()["is_open"] is False
    with api.unchanged():
        assert payer.call("POST", path, json={"lines": 3}).status_code == 200
        assert refused(payer.call("POST", path, json={"lines": 2})) == (409, "bulk_out_of_step", 3)


def test_two_uploads_at_once_keep_each_line_once(payer: ApiUser, opened: TestResponse) -> None:
    data = json_lines([line("0.01", n) for n in range(LINES_MAX + 10)])
    answers = at_once(4, lambda _: put(payer, opened, data))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert put(payer, opened, data).get_json()["total"] == "10.10"
    assert len(lines(payer, opened, "limit=100&state=INITIATED")) == 100


def test_only_the_initiator_adds_lines(api: ApiHarness, opened: TestResponse) -> None:
    stranger, ops = organization(api)[0], api.person("ops")
    with api.unchanged():
        assert put(stranger, opened, json_lines([line()])).status_code == 404
        assert put(ops, opened, json_lines([line()])).status_code == 403


def test_no_more_lines_than_a_bulk_may_have(
    api: ApiHarness, payer: ApiUser, opened: TestResponse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bulks.lines.UPLOADED_LINES_MAX", 3)
    put(payer, opened, json_lines([line(n=n) for n in range(2)]))
    with api.unchanged():
        answer = put(payer, opened, json_lines([line(n=n) for n in range(4)]))
    assert refused(answer) == (422, "invalid_value", 2)
    assert answer.get_json()["errors"][0]["pointer"] == "/credit_transfers/3"


def test_the_total_of_all_chunks_is_bounded(api: ApiHarness, payer: ApiUser, opened: TestResponse) -> None:
    most = "9" * 36 + ".99"
    put(payer, opened, json_lines([line(most)]))
    with api.unchanged():
        answer = put(payer, opened, json_lines([line("0.01")]), "?from=2")
    assert refused(answer) == (422, "amount_too_large", 1)


def test_a_bank_account_out_of_use_takes_no_more(api: ApiHarness, payer: ApiUser, opened: TestResponse) -> None:
    [account] = payer.get("/v1/bank-accounts").get_json()["data"]
    payer.call("PATCH", f"/v1/bank-accounts/{account['id']}", json={"is_active": False}, headers={"If-Match": "*"})
    with api.unchanged():
        assert refused(put(payer, opened, json_lines([line()]))) == (422, "account_inactive", 0)


def test_charges_are_uploaded_as_well(api: ApiHarness, payer: ApiUser, client: ApiUser) -> None:
    wallets = [client.wallet("1.00") for _ in range(3)]
    opened = payer.order(CHARGES, {"currency": "EUR", "charges": [], "is_open": True})
    unknown = {"wallet": "wal_" + "x" * 32, "amount": "1.00"}
    answer = put(
        payer,
        opened,
        json_lines([{"wallet": wallet, "amount": "1.00"} for wallet in wallets] + [unknown]),
    )
    assert refused(answer) == (422, "validation_failed", 0)
    assert answer.get_json()["errors"][0]["pointer"] == "/charges/3/wallet"
    data = table([{"wallet": f" {wallet}\u00a0", "amount": "1.00", "summary": "November"} for wallet in wallets])
    assert put(payer, opened, data, media_type=CSV).status_code == 200
    api.post_payments()
    assert close(payer, opened).get_json()["state"] == "COMPLETED"
