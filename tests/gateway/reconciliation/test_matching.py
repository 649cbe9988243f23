"""Uploading a statement twice, listing its lines, and matching them manually."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.reconciliation.statements import (
    AT_ONCE,
    PATH,
    judged,
    match,
    paid,
    row,
    table,
    today,
    upload,
    verdicts,
)


def test_same_file_again_is_replayed(api: ApiHarness, ops: ApiUser) -> None:
    data = table(row())
    first, another = upload(ops, data), api.person("ops")
    with api.unchanged():
        again = upload(another, data)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert (first.headers.get("Idempotent-Replayed"), again.headers.get("Idempotent-Replayed")) == (None, "true")


def test_concurrent_uploads_of_one_file_create_one_statement(api: ApiHarness, ops: ApiUser) -> None:
    data, together = table(row()), threading.Barrier(AT_ONCE)

    def race(_: int) -> TestResponse:
        together.wait()
        return upload(ops, data)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(race, range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers].count(None) == 1
    assert api.execute("SELECT count(*) FROM audit_log WHERE target = %s", answers[0].get_json()["id"]) == [1]


def test_lines_are_listed_in_order_in_pages(ops: ApiUser) -> None:
    id, _ = judged(ops, table(*(row(amount=f"{n}.00") for n in range(1, 8))))
    first = ops.get(f"{PATH}/{id}/lines?limit=3").get_json()
    second = ops.get(f"{PATH}/{id}/lines?limit=3&cursor={first['next_cursor']}").get_json()
    third = ops.get(f"{PATH}/{id}/lines?limit=3&cursor={second['next_cursor']}").get_json()
    assert [[line["line"] for line in page["data"]] for page in (first, second, third)] == [[1, 2, 3], [4, 5, 6], [7]]
    assert (third["has_more"], first["prev_cursor"]) == (False, None)
    back = ops.get(f"{PATH}/{id}/lines?limit=3&cursor={third['prev_cursor']}").get_json()
    assert back["data"] == second["data"]


def test_lines_are_filtered_by_verdict(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    payment = paid(api, client, customer_wallet)
    id, _ = judged(ops, table(row(payment), row(payment), row()))
    found = {
        query: [line["line"] for line in ops.get(f"{PATH}/{id}/lines?verdict={query}").get_json()["data"]]
        for query in ("matched", "mismatched", "missing_here", "matched,missing_here")
    }
    assert found == {"matched": [1], "mismatched": [2], "missing_here": [3], "matched,missing_here": [1, 3]}
    assert ops.get(f"{PATH}/{id}/lines?verdict=lost").get_json()["code"] == "invalid_value"
    assert ops.get(f"{PATH}/{id}/lines?cursor=x").get_json()["code"] == "bad_cursor"


def test_auditor_reads_but_cannot_match(api: ApiHarness, ops: ApiUser) -> None:
    id, _ = judged(ops, table(row()))
    auditor = api.person("auditor")
    assert auditor.get(f"{PATH}/{id}").get_json()["id"] == id
    assert len(auditor.get(f"{PATH}/{id}/lines").get_json()["data"]) == 1
    with api.unchanged():
        assert match(auditor, id, 1, str(uuid4())).get_json()["code"] == "scope_missing"
        assert upload(auditor, table(row())).get_json()["code"] == "scope_missing"


def test_line_is_matched_manually_once(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    payment = paid(api, client, customer_wallet)
    id, lines = judged(ops, table(row(amount="10.00"), day=today(api)))
    assert ("expected", None, payment) in verdicts(lines)
    before = ops.get(f"{PATH}/{id}").get_json()["counts"]
    answer = match(ops, id, 1, payment)
    matched = answer.get_json()
    assert (answer.status_code, matched["verdict"], matched["payment"]) == (200, "matched", None)
    assert (matched["match"]["payment"], matched["match"]["reason"]) == (payment, "Seen the receipt")
    assert matched["match"]["matched_by"] == ops.id
    after = ops.get(f"{PATH}/{id}").get_json()["counts"]
    assert after["matched"] == before["matched"] + 2, "the line, and the payment that was missing there"
    assert (after["missing_here"], after["expected"]) == (0, before["expected"] - 1)
    audit = ops.get(f"/v1/ops/audit?target={id}/1").get_json()["data"]
    assert [(line["action"], line["actor"], line["reason"]) for line in audit] == [
        ("reconciliations.match", ops.id, "Seen the receipt")
    ]
    assert (audit[0]["before"]["verdict"], audit[0]["after"]["match"]["payment"]) == ("missing_here", payment)
    another = api.person("ops")
    with api.unchanged():
        late = match(another, id, 1, payment)
    assert (late.status_code, late.get_json()["code"]) == (409, "line_matched")
    assert payment not in {line["payment"] for line in judged(ops, table(row(), day=today(api)))[1]}


def test_concurrent_matches_one_succeeds(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    payment, together = paid(api, client, customer_wallet), threading.Barrier(AT_ONCE)
    id, _ = judged(ops, table(row(amount="1.00")))

    def race(_: int) -> int:
        together.wait()
        return match(ops, id, 1, payment).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sorted(pool.map(race, range(AT_ONCE))) == [200] + [409] * (AT_ONCE - 1)
    assert api.execute("SELECT count(*) FROM audit_log WHERE target = %s", f"{id}/1") == [1]


def test_missing_payment_is_accepted_as_missing(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    payment, other = paid(api, client, customer_wallet), paid(api, client, customer_wallet)
    id, lines = judged(ops, table(row(other), day=today(api)))
    [number] = [line["line"] for line in lines if line["payment"] == payment]
    with api.unchanged():
        assert match(ops, id, number, other).get_json()["errors"][0]["pointer"] == "/payment"
    assert match(ops, id, number, payment, "Booked tomorrow").get_json()["verdict"] == "matched"


def test_invalid_match_is_refused(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    payment = paid(api, client, customer_wallet)
    id, _ = judged(ops, table(row(payment), row()))
    with api.unchanged():
        assert match(ops, id, 1, payment).get_json()["code"] == "line_matched"
        assert match(ops, id, 2, str(uuid4())).get_json()["errors"][0]["pointer"] == "/payment"
        for strange_line in (0, 999, "01", "x", "1e1", "-1", "9" * 40):
            assert match(ops, id, strange_line, payment).status_code == 404
        for strange_id in (str(uuid4()), "x", id.upper(), "%00"):
            assert match(ops, strange_id, 2, payment).status_code == 404
            assert ops.get(f"{PATH}/{strange_id}").status_code == 404
            assert ops.get(f"{PATH}/{strange_id}/lines").status_code == 404
        said = {"payment": payment, "reason": "Seen"}
        for wrong, code in [
            ({"payment": "x"}, "invalid_value"),
            ({"payment": None}, "null_not_allowed"),
            ({"reason": " "}, "invalid_value"),
            ({"reason": "a\u202eb"}, "text_invalid"),
            ({"reason": "x" * 501}, "text_too_long"),
            ({"verdict": "matched"}, "unknown_field"),
        ]:
            answer = ops.call("POST", f"{PATH}/{id}/lines/2/match", json={**said, **wrong})
            assert (answer.status_code, answer.get_json()["code"]) == (422, code)
