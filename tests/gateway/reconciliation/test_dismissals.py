"""Statements are listed, lines are put aside, and what is booked tomorrow is expected until then."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import TestResponse

from models import bank_statement
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.reconciliation.statements import PATH, judged, match, paid, row, table, today, verdicts

RACERS = 20


def dismiss(person: ApiUser, id: str, line: object, category: str = "fee", reason: str = "Fees") -> TestResponse:
    return person.call("POST", f"{PATH}/{id}/lines/{line}/dismiss", json={"category": category, "reason": reason})


def day(api: ApiHarness, days: int) -> str:
    """The day so many days from today."""
    [text] = api.execute("SELECT ((now() AT TIME ZONE 'UTC')::date + %s)::text", days)
    return str(text)


def counted(ops: ApiUser, id: str) -> tuple[dict[str, int], dict[str, int]]:
    """The lines of a statement by verdict, without those that have none, and its exceptions by age."""
    body: dict[str, Any] = ops.get(f"{PATH}/{id}").get_json()
    counts = {verdict: count for verdict, count in body["counts"].items() if count}
    return counts, {age["days"]: age["count"] for age in body["ages"]}


def test_payment_is_expected_until_its_value_date_and_missing_after(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    late, booked, resolved = (paid(api, client, customer_wallet, amount) for amount in ("1.00", "2.00", "3.00"))
    first, lines = judged(ops, table(row(amount="0.50"), day=today(api)))
    found = {line["payment"]: line for line in lines}
    assert {found[id]["verdict"] for id in (late, booked, resolved)} == {"expected"}
    assert today(api) < found[late]["value_date"] <= day(api, 3)
    assert (found[late]["age_days"], found[None]["age_days"]) == (None, 0)
    match(ops, first, found[resolved]["line"], resolved)
    _, lines = judged(ops, table(row(booked, "2.00"), row(amount="0.51"), day=day(api, 4)))
    assert verdicts(lines)[0] == ("matched", None, booked)
    [there] = [line for line in lines if line["payment"] == late]
    assert (there["verdict"], there["value_date"]) == ("missing_there", found[late]["value_date"])
    assert resolved not in {line["payment"] for line in lines}
    _, lines = judged(ops, table(row(amount="0.52"), day=day(api, 5)))
    assert late not in {line["payment"] for line in lines}, "it was reported as missing once"


def test_exceptions_are_counted_by_age(api: ApiHarness, ops: ApiUser) -> None:
    days = (0, -1, -2, -5, -6)
    id, _ = judged(ops, table(*(row(amount=f"{4 - n}.00", booked_on=day(api, n)) for n in days)))
    assert counted(ops, id)[1] == {"0-1": 2, "2-5": 2, "over-5": 1}
    assert [line["age_days"] for line in ops.get(f"{PATH}/{id}/lines?age=2-5,over-5").get_json()["data"]] == [2, 5, 6]
    assert ops.get(f"{PATH}/{id}/lines?age=3").get_json()["code"] == "invalid_value"
    newest = ops.get(f"{PATH}?limit=1").get_json()
    assert (newest["data"], newest["has_more"]) == ([ops.get(f"{PATH}/{id}").get_json()], True)
    assert api.person("auditor").get(f"{PATH}?limit=1").get_json()["data"] == newest["data"]


def test_twenty_dismissals_have_one_effect(api: ApiHarness, ops: ApiUser) -> None:
    id, _ = judged(ops, table(row(amount="14.50")))
    together = threading.Barrier(RACERS)

    def race(_: int) -> TestResponse:
        together.wait()
        return dismiss(ops, id, 1)

    with ThreadPoolExecutor(RACERS) as pool:
        answers = list(pool.map(race, range(RACERS)))
    assert {answer.status_code for answer in answers} == {200}
    [shown] = ops.get(f"{PATH}/{id}/lines?verdict=dismissed").get_json()["data"]
    assert all(answer.get_json() == shown for answer in answers)
    assert (shown["dismissal"]["category"], shown["dismissal"]["dismissed_by"]) == ("fee", ops.id)
    assert counted(ops, id) == ({"dismissed": 1}, {"0-1": 0, "2-5": 0, "over-5": 0})
    [audit] = api.audit_log(f"{id}/1")
    assert (audit["action"], audit["actor"], audit["reason"]) == ("reconciliations.dismiss", ops.id, "Fees")
    assert (audit["before"]["verdict"], audit["after"]["verdict"]) == ("missing_here", "dismissed")


def test_match_says_that_others_put_the_line_aside_meanwhile(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = paid(api, client, customer_wallet)
    id, _ = judged(ops, table(row(amount="14.51")))
    match_line = bank_statement.match

    def behind(*arguments: Any) -> bool:
        dismiss(ops, id, 1)
        return match_line(*arguments)

    monkeypatch.setattr(bank_statement, "match", behind)
    assert match(ops, id, 1, payment).get_json()["code"] == "line_dismissed"


def test_only_what_the_bank_booked_is_put_aside_once(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    booked, other = paid(api, client, customer_wallet), paid(api, client, customer_wallet)
    id, lines = judged(ops, table(row(booked), row(booked, "9.00"), row(), day=today(api)))
    [lacking] = [line["line"] for line in lines if line["payment"] == other]
    auditor = api.person("auditor")
    assert dismiss(ops, id, 2, "bank_correction").get_json()["verdict"] == "dismissed"
    with api.unchanged():
        codes = [dismiss(ops, id, line, "interest").get_json()["code"] for line in (1, 2, lacking)]
        assert codes == ["line_matched", "line_dismissed", "line_not_booked"]
        assert match(ops, id, 2, booked).get_json()["code"] == "line_dismissed"
        assert dismiss(ops, id, 3, "gift").get_json()["code"] == "invalid_value"
        assert dismiss(ops, id, 99).status_code == dismiss(ops, other, 1).status_code == 404
        assert dismiss(auditor, id, 3).get_json()["code"] == "scope_missing"
