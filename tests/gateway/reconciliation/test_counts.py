"""The counts of a statement are stored when its lines change, and are those of its lines."""

import threading
from concurrent.futures import ThreadPoolExecutor

from models import bank_statement
from models.bank_statement import VERDICT
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.reconciliation.statements import PATH, judged, match, paid, row, table, today, verdicts

COUNTED = f"""
SELECT statement_id::text, {VERDICT}, coalesce(l.value_date, l.booked_on), count(*) FROM bank_statement_lines l
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
STORED = """
SELECT statement_id::text, verdict, dated_on, lines FROM bank_statement_counts WHERE lines > 0 ORDER BY 1, 2, 3
"""
LINES = 8


def dismiss(person: ApiUser, id: str, line: int, category: str = "bank_correction") -> int:
    body = {"category": category, "reason": "Seen"}
    return person.call("POST", f"{PATH}/{id}/lines/{line}/dismiss", json=body).status_code


def rows(api: ApiHarness, sql: str) -> list[tuple[object, ...]]:
    with api.owner.connect() as connection:
        return [tuple(found) for found in connection.exec_driver_sql(sql)]


def day(api: ApiHarness, days: int) -> str:
    """The day so many days from today."""
    [text] = api.execute("SELECT ((now() AT TIME ZONE 'UTC')::date + %s)::text", days)
    return str(text)


def test_stored_counts_are_those_of_the_lines(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    late, expected, booked = (paid(api, client, customer_wallet) for _ in range(3))
    id, lines = judged(ops, table(row(booked), *(row(amount=f"{n}.00") for n in range(2, LINES)), day=today(api)))
    assert rows(api, STORED) == rows(api, COUNTED) != []
    [there] = [line["line"] for line in lines if line["payment"] == expected]
    assert match(ops, id, there, expected).status_code == 200, "expected becomes booked"
    assert rows(api, STORED) == rows(api, COUNTED)
    together = threading.Barrier(LINES - 2)

    def decide(line: int) -> int:
        together.wait()
        return dismiss(ops, id, line, "fee") if line % 2 else match(ops, id, line, late).status_code

    with ThreadPoolExecutor(LINES - 2) as pool:
        assert set(pool.map(decide, range(2, LINES))) == {200}, (
            "they change the same counts, and none waits for another"
        )
    assert rows(api, STORED) == rows(api, COUNTED)
    assert ops.get(f"{PATH}/{id}").get_json()["counts"]["dismissed"] == LINES // 2 - 1


def test_list_of_statements_reads_no_line(api: ApiHarness, ops: ApiUser) -> None:
    judged(ops, table(row(amount="3.00")))
    with api.owner.begin() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN {bank_statement.STATEMENT}").scalars().all()
    assert any("bank_statement_counts" in line for line in plan)
    assert not any("bank_statement_lines" in line for line in plan)


def test_booking_that_is_put_aside_is_not_that_of_its_payment(
    api: ApiHarness, ops: ApiUser, client: ApiUser, customer_wallet: str
) -> None:
    wrong, other = (paid(api, client, customer_wallet, amount) for amount in ("5.00", "6.00"))
    id, lines = judged(ops, table(row(wrong, "4.99"), row(other, "5.99"), day=today(api)))
    assert verdicts(lines)[:2] == [("mismatched", "amount", wrong), ("mismatched", "amount", other)]
    assert dismiss(ops, id, 1) == 200
    _, again = judged(ops, table(row(amount="0.50"), day=today(api)))
    assert [line["payment"] for line in again if line["payment"] in (wrong, other)] == [wrong]
    _, later = judged(ops, table(row(amount="0.51"), day=day(api, 5)))
    assert ("missing_there", None, wrong) in verdicts(later), "the statements of a month look for it"
    _, last = judged(ops, table(row(amount="0.52"), day=day(api, 6)))
    assert wrong not in {line["payment"] for line in last}, "it was reported as missing once"
