"""Matching many lines by one file: each line by itself, tried first, the same file twice, and at once."""

import csv
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from werkzeug.test import TestResponse

from models import match_file
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.reconciliation.statements import AT_ONCE, PATH, judged, match, paid, row, table, today

CSV, LINES = "text/csv", "application/x-ndjson"
Row = tuple[object, str, str]


def csv_of(*rows: Row) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("line", "payment", "reason"), *rows])
    return text.getvalue().encode()


def lines_of(*rows: Row) -> bytes:
    return "".join(f"{json.dumps(dict(zip(match_file.MEMBERS, row, strict=True)))}\n" for row in rows).encode()


def send(person: ApiUser, id: str, data: bytes, media_type: str = CSV, query: str = "", **headers: str) -> TestResponse:
    path = f"{PATH}/{id}/lines/match{query}"
    return person.call("POST", path, data=data, content_type=media_type, headers=headers)


def outcomes(answer: TestResponse) -> list[tuple[str, str | None, str | None]]:
    assert answer.status_code == 200, answer.get_json()
    return [(line["outcome"], line["code"], line["pointer"]) for line in answer.get_json()["lines"]]


def test_each_line_is_matched_or_refused_by_itself(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    payments = [paid(api, client, customer_wallet) for _ in range(3)]
    known = paid(api, client, customer_wallet)
    id, lines = judged(ops, table(row(), row(), row(), row(known), row(), day=today(api)))
    assert match(ops, id, 3, payments[2], "by hand").status_code == 200
    assert (
        ops.call("POST", f"{PATH}/{id}/lines/5/dismiss", json={"category": "fee", "reason": "a fee"}).status_code == 200
    )
    [lacked] = [line["line"] for line in lines if line["payment"] == payments[1]]
    rows: list[Row] = [
        (1, payments[0], "=first"),
        (2, str(uuid4()), "nobody's"),
        (3, payments[2], "again"),
        (3, payments[0], "another"),
        (4, known, "as it was found"),
        (5, payments[0], "put aside"),
        (999, payments[0], "no such line"),
        (lacked, payments[0], "of another"),
        (lacked, payments[1], "booked tomorrow"),
        ("x", payments[0], "no number"),
    ]
    expected = [
        ("matched", None, None),
        ("refused", "not_found", "/lines/2/payment"),
        ("unchanged", None, None),
        ("refused", "line_matched", "/lines/4/line"),
        ("unchanged", None, None),
        ("refused", "line_dismissed", "/lines/6/line"),
        ("refused", "not_found", "/lines/7/line"),
        ("refused", "invalid_value", "/lines/8/payment"),
        ("matched", None, None),
        ("refused", "invalid_value", "/lines/10/line"),
    ]
    for media_type, data in ((CSV, csv_of(*rows)), (LINES, lines_of(*rows))):
        with api.unchanged():
            tried = send(ops, id, data, media_type, "?dry_run=true")
        assert outcomes(tried) == expected
        assert tried.get_json()["dry_run"] is True
    done = send(ops, id, csv_of(*rows)).get_json()
    assert done == {**tried.get_json(), "dry_run": False}
    assert (done["statement"], done["matched"], done["unchanged"], done["refused"]) == (id, 2, 2, 6)
    [entry] = api.audit_log(f"{id}/1")
    assert (entry["action"], entry["actor"], entry["reason"]) == ("reconciliations.match", ops.id, "=first")
    shown = {line["line"]: line for line in ops.get(f"{PATH}/{id}/lines?limit=100").get_json()["data"]}
    assert (shown[1]["verdict"], shown[1]["match"]["payment"]) == ("matched", payments[0])
    [lacking] = [line for line in shown.values() if line["payment"] == payments[0]]
    assert lacking["verdict"] == "matched", "the payment that was missing there is matched too"


def test_same_file_again_changes_nothing(api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str) -> None:
    payment = paid(api, client, customer_wallet)
    id, _ = judged(ops, table(row(), row()))
    data = csv_of((1, payment, "one"), (2, payment, "two"), (2, payment, "twice in the file"))
    assert [outcome for outcome, *_ in outcomes(send(ops, id, data))] == ["matched", "matched", "unchanged"]
    another = api.person("ops")
    with api.unchanged():
        assert [outcome for outcome, *_ in outcomes(send(another, id, data))] == ["unchanged"] * 3


def test_files_at_once_match_each_line_once(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    payments = [paid(api, client, customer_wallet) for _ in range(2)]
    id, _ = judged(ops, table(*(row() for _ in range(30))))
    together = threading.Barrier(AT_ONCE)

    def race(turn: int) -> list[str]:
        numbers = range(1, 31) if turn % 2 else range(30, 0, -1)
        data = csv_of(*((number, payments[turn % 2], "at once") for number in numbers))
        together.wait()
        return [outcome for outcome, *_ in outcomes(send(ops, id, data))]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(race, range(AT_ONCE)))
    assert sorted(outcome for one in done for outcome in one if outcome == "matched") == ["matched"] * 30
    assert [one for one in done if "matched" in one] == [["matched"] * 30], "one file matches all, the others wait"
    assert api.execute("SELECT count(*) FROM audit_log WHERE target LIKE %s", f"{id}/%") == [30]


def test_largest_file_is_taken_and_a_larger_refused(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    payment = paid(api, client, customer_wallet)
    id, _ = judged(ops, table(*(row() for _ in range(match_file.LINES_MAX))))
    rows = [(number, payment, "x" * 100) for number in range(1, match_file.LINES_MAX + 1)]
    assert send(ops, id, csv_of(*rows), query="?dry_run=true").get_json()["matched"] == match_file.LINES_MAX
    with api.unchanged():
        assert send(ops, id, csv_of(*rows, rows[0])).get_json()["errors"][0]["pointer"] == "/lines"
        large = send(ops, id, b"x" * (match_file.BYTES_MAX + 1))
        assert (large.status_code, large.get_json()["code"]) == (413, "body_too_large")


def test_what_is_no_file_of_matches_is_refused(api: ApiHarness, ops: ApiUser) -> None:
    id, _ = judged(ops, table(row()))
    good = csv_of((1, str(uuid4()), "x"))
    auditor, client = api.person("auditor"), api.person("client")
    with api.unchanged():
        for data, media_type, status, code in (
            (b"", CSV, 422, "invalid_value"),
            (b"a,b\n", CSV, 422, "invalid_value"),
            (b"line,payment,reason\n", CSV, 422, "required"),
            (b"", LINES, 422, "required"),
            (b"\xff\xff", CSV, 400, "malformed_csv"),
            (b"\xff\xff", LINES, 400, "malformed_json"),
            (good, "application/json", 415, "unsupported_media_type"),
            (good, "text/plain", 415, "unsupported_media_type"),
        ):
            answer = send(ops, id, data, media_type)
            assert (answer.status_code, answer.get_json()["code"]) == (status, code), (data, media_type)
        assert send(ops, id, good, **{"Content-Encoding": "gzip"}).status_code == 415
        for query in ("?dry_run=yes", "?dry_run=", "?dry_run=true&dry_run=false", "?force=1"):
            assert send(ops, id, good, query=query).status_code == 422
        for strange in (str(uuid4()), "x", id.upper(), "%00"):
            assert send(ops, strange, good).status_code == 404
        assert send(auditor, id, good).get_json()["code"] == "scope_missing"
        assert send(client, id, good, query="?dry_run=true").status_code == 403
