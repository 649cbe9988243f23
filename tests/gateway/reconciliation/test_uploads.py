"""Files that are refused, and lines that are set aside."""

import io
from uuid import UUID, uuid4

import pytest

from models import statement_file
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.reconciliation.statements import PATH, judged, paid, row, table, upload, verdicts
from tests.iso20022_messages import CAMT, STRANGE, camt, entry, strange


@pytest.mark.parametrize(
    ("line", "pointer", "code"),
    [
        ({"amount": "1.005"}, "amount", "amount_precision"),
        ({"amount": "0.00"}, "amount", "amount_not_positive"),
        ({"amount": "-1.00"}, "amount", "amount_invalid"),
        ({"amount": "1e5"}, "amount", "amount_invalid"),
        ({"amount": "NaN"}, "amount", "amount_invalid"),
        ({"amount": " 1.00"}, "amount", "amount_invalid"),
        ({"amount": "\u0661\u0660"}, "amount", "amount_invalid"),
        ({"amount": "1_000"}, "amount", "amount_invalid"),
        ({"amount": "9" * 400}, "amount", "amount_too_large"),
        ({"amount": "9" * 39}, "amount", "amount_too_large"),
        ({"amount": ""}, "amount", "amount_invalid"),
        ({"currency": "XXX"}, "currency", "currency_unknown"),
        ({"currency": "eur"}, "currency", "currency_unknown"),
        ({"direction": "both"}, "direction", "invalid_value"),
        ({"booked_on": "20.11.2026"}, "booked_on", "invalid_value"),
        ({"booked_on": "2026-02-30"}, "booked_on", "invalid_value"),
        ({"booked_on": "0001-01-01"}, "booked_on", "invalid_value"),
        ({"booked_on": "9999-12-31"}, "booked_on", "invalid_value"),
        ({"description": "a\x00b"}, "description", "text_invalid"),
        ({"description": "a\u202eb"}, "description", "text_invalid"),
        ({"description": "x" * 141}, "description", "text_too_long"),
        ({"end_to_end_id": "x" * 141}, "end_to_end_id", "text_too_long"),
        ({"bank_reference": "x" * 141}, "bank_reference", "text_too_long"),
        ({"description": "a\nb"}, "description", "text_invalid"),
    ],
)
def test_invalid_line_is_set_aside_alone(ops: ApiUser, line: dict[str, str], pointer: str, code: str) -> None:
    answer = upload(ops, table(row(), {**row(), **line}, row()))
    [flaw] = answer.get_json()["set_aside"]
    assert (answer.status_code, flaw["pointer"], flaw["code"]) == (201, f"/lines/2/{pointer}", code)
    shown = ops.get(f"{PATH}/{answer.get_json()['id']}").get_json()
    assert (shown["set_aside"], shown["counts"]["missing_here"]) == ([flaw], 2)
    kept = ops.get(f"{PATH}/{shown['id']}/lines").get_json()["data"]
    assert [line["line"] for line in kept[:2]] == [1, 3], "lines keep the numbers that they have in the file"


def test_file_without_valid_line_is_refused(api: ApiHarness, ops: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    with api.unchanged():
        answer = upload(ops, table(row(amount="0"), row(amount="x"))).get_json()
        assert [flaw["pointer"] for flaw in answer["errors"]] == ["/lines/1/amount", "/lines/2/amount"]
        assert len(upload(ops, table(*[row(amount="0")] * 1000)).get_json()["errors"]) == 20
        monkeypatch.setattr(statement_file, "SET_ASIDE_MAX", 1)
        assert upload(ops, table(row(), row(amount="0"), row(amount="x"))).status_code == 422


HEADER = b"booked_on,direction,amount,currency\n"
LINE = b"2026-11-20,debit,1.00,EUR\n"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "required"),
        (HEADER, 422, "invalid_value"),
        (HEADER + LINE + b"2026-11-20,debit\n", 201, ""),
        (HEADER + LINE + b'2026-11-20,"debit\n', 201, ""),
        (HEADER + b'2026-11-20,"debit\n', 400, "malformed_csv"),
        (HEADER + LINE + b"\xff\xfe\n", 400, "malformed_csv"),
        (HEADER + b"x" * 140_000, 400, "malformed_csv"),
        (HEADER.replace(b"currency", b"id") + LINE, 422, "unknown_field"),
        (HEADER.replace(b"currency", b"amount") + LINE, 422, "unknown_field"),
        (HEADER.replace(b",currency", b"") + LINE, 422, "required"),
        (HEADER + LINE + LINE.replace(b"2026", b"2025"), 201, ""),
        (HEADER + LINE + LINE.replace(b"2026-11-20", b"2025-11-18"), 422, "invalid_value"),
    ],
)
def test_file_that_is_no_statement_is_refused(
    api: ApiHarness, ops: ApiUser, data: bytes, status: int, code: str
) -> None:
    answer = upload(ops, data)
    assert (answer.status_code, answer.get_json().get("code", "")) == (status, code)


def test_csv_of_spreadsheets_is_read(ops: ApiUser) -> None:
    data = (
        b"\xef\xbb\xbf"
        + b'"currency";'.replace(b";", b",")
        + b"amount,direction,booked_on\r\n\r\nEUR,1,debit,2026-11-20\r\n"
    )
    assert judged(ops, data)[1][0]["amount"] == "1.00"


def test_file_in_latin_1_is_refused_with_its_line(api: ApiHarness, ops: ApiUser) -> None:
    columns = HEADER.replace(b"\n", b",description\n")
    lines = LINE.replace(b"\n", b",x\n") + LINE.replace(b"\n", b",Caf\xe9\n")
    with api.unchanged():
        answer = upload(ops, columns + lines)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed_csv")
    assert [flaw["pointer"] for flaw in answer.get_json()["errors"]] == ["/lines/2"]


def test_spaces_around_ids_are_ignored(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    id, number = paid(api, client, customer_wallet), uuid4().hex
    by_number = paid(api, client, customer_wallet, reference=number)
    rows = [row(end_to_end_id=f"\u00a0{UUID(id).hex} "), row(bank_reference=f" {number}\u3000", end_to_end_id=" ")]
    _, lines = judged(ops, table(*rows).replace(b"\r\n", b"\r\n \r\n,,\r\n"))
    assert verdicts(lines)[:2] == [("matched", None, id), ("matched", None, by_number)]
    assert [(line["line"], line["end_to_end_id"]) for line in lines[:2]] == [(1, UUID(id).hex), (2, None)]


@pytest.mark.parametrize("name", STRANGE)
def test_xml_that_is_no_statement_is_refused(api: ApiHarness, ops: ApiUser, name: str) -> None:
    with api.unchanged():
        answer = upload(ops, strange(name, CAMT), "application/xml")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "malformed_xml")


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (camt(), 422, "invalid_value"),
        (camt(entry(amount="1.005")), 422, "amount_precision"),
        (camt(entry(currency="XXX")), 422, "currency_unknown"),
        (camt(entry(), currency="ZZZ"), 422, "currency_unknown"),
        (camt(entry(day="0001-01-01")), 422, "invalid_value"),
        (camt(entry()).replace(b"camt.053", b"camt.052"), 400, "malformed_xml"),
        (camt(entry(key="k" * 1000, number="n" * 1000), entry("CRDT", "1", "\u202ek")), 201, ""),
    ],
)
def test_camt053_edge_cases_are_answered(api: ApiHarness, ops: ApiUser, data: bytes, status: int, code: str) -> None:
    answer = upload(ops, data, "application/xml")
    assert (answer.status_code, answer.get_json().get("code", "")) == (status, code)


@pytest.mark.parametrize(
    "media_type", [None, "application/json", "multipart/form-data; boundary=x", "text/plain", "application/pdf"]
)
def test_other_media_types_are_refused(api: ApiHarness, ops: ApiUser, media_type: str | None) -> None:
    with api.unchanged():
        answer = ops.call("POST", PATH, data=table(row()), content_type=media_type)
    assert (answer.status_code, answer.get_json()["code"]) == (415, "unsupported_media_type")


def test_too_large_statement_is_refused(api: ApiHarness, ops: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_file, "LINES_MAX", 3)
    with api.unchanged():
        assert upload(ops, HEADER + LINE * 4).get_json()["errors"][0]["pointer"] == "/lines"
        large = HEADER + LINE + b"\n" * statement_file.BYTES_MAX
        assert upload(ops, large).get_json()["code"] == "body_too_large"
        chunked = {"wsgi.input_terminated": True}
        answer = ops.call(
            "POST", PATH, input_stream=io.BytesIO(large), content_type="text/csv", environ_overrides=chunked
        )
        assert answer.get_json()["code"] == "body_too_large"
        packed = ops.call("POST", PATH, data=b"x", content_type="text/csv", headers={"Content-Encoding": "gzip"})
        assert packed.status_code == 415
        assert ops.call("POST", f"{PATH}?name=x", data=HEADER + LINE, content_type="text/csv").status_code == 422
    assert upload(ops, HEADER + LINE * 3).status_code == 201
