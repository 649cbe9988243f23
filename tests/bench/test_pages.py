"""Which pages are measured, what their plans say, and how the section shows it."""

from bench import pages, pages_report, plans
from bench.pages import Page, Reading
from bench.plans import Scan

PLAN = """payments_gateway LOG:  duration: 0.4 ms  plan:
\t{ "Query Text": "SELECT", "Plan": { "Node Type": "Append", "Actual Rows": 2, "Actual Loops": 1, "Plans": [
\t  { "Node Type": "Index Scan", "Relation Name": "payments_2026_11", "Index Name": "by_user", "Actual Rows": 2,
\t    "Actual Loops": 3, "Rows Removed by Filter": 5 },
\t  { "Node Type": "Seq Scan", "Relation Name": "payments_2026_10", "Actual Rows": 0, "Actual Loops": 0 },
\t  { "Node Type": "Bitmap Heap Scan", "Relation Name": "users", "Actual Rows": 1, "Actual Loops": 1, "Plans": [
\t    { "Node Type": "Bitmap Index Scan", "Index Name": "users_pkey", "Actual Rows": 1, "Actual Loops": 1 } ] } ] } }
payments_worker LOG:  duration: 0.4 ms  plan:
\t{ "Plan": { "Relation Name": "payments_2026_09", "Actual Rows": 1, "Actual Loops": 1 } }
"""


def test_every_page_of_the_app_is_measured() -> None:
    asked = {page.path for page in pages.pages({visitor: Anything() for visitor in ("ops", "shop", "customer")})}
    assert {"/console", "/app", "/sign-in", "/second-factor", "/console/payments/x", "/app/wallets/x"} <= asked
    assert not [path for path in asked if "<" in path or "{" in path], "a page with arguments needs an example"
    assert len(pages.rules()) > 20


class Anything(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "x"


def test_scans_are_read_from_the_plans_of_the_gateway() -> None:
    [plan] = plans.ENTRY.findall(PLAN)
    found = list(plans.scans(plans.json.loads(plan)["Plan"]))
    assert found == [Scan("payments_2026_11", "by_user", 21), Scan("users", "users_pkey", 1)]
    assert [scan.month for scan in found] == ["2026_11", None]


def test_a_slow_page_is_marked_and_a_wrong_answer_told() -> None:
    slow = Reading(Page("ops", "/console", "/console"), [0.01, 0.02, 0.5], {200}, [Scan("payments_2026_11", None, 7)])
    quick = Reading(Page("shop", "/app", "/app"), [0.01, 0.02, 0.03], {500})
    assert pages_report.row(slow) == ["ops", "`/console`", "20.0", "500.0", "**over**", "1", "7"]
    assert pages_report.row(quick) == ["shop", "`/app`", "20.0", "30.0", "", "0", "0"]
    assert pages_report.amiss([slow, quick]) == ["shop: /app answered 500"]
