"""The pages of bulks, rails, reconciliation and adjustments, as ops and auditor."""

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gateway.pages.console import bulks, rails, reconciliation
from models import heartbeat, rail, webhook_delivery
from models.bulk import BulkKind, BulkState
from models.posting_lock import POSTING_LOCK
from models.rail import BankFile
from models.rules.reconciliation import EXCEPTIONS, AgeBucket, DismissCategory, MatchVerdict
from models.session import transaction
from models.statement_file import BYTES_MAX
from tests.gateway.bulks import builders
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.payouts import send, withdraw
from tests.gateway.pages.browsers import Browser, alerts
from tests.gateway.reconciliation.statements import paid, row, table
from tests.gateway.webhooks.helpers import DELIVERED, GIVEN_UP, URL, attempted, delivery, endpoint

HOSTILE = '"><img src=x onerror=alert(1)>'


def test_what_these_pages_know_of_the_api_is_so() -> None:
    assert set(bulks.KINDS) == {kind.value for kind in BulkKind}
    assert set(bulks.STATES) == {state.value for state in BulkState}
    assert set(reconciliation.VERDICTS) == {verdict.value for verdict in MatchVerdict}
    assert set(reconciliation.EXCEPTIONS) == {verdict.value for verdict in EXCEPTIONS}
    assert tuple(bucket.value for bucket in AgeBucket) == reconciliation.AGES
    assert set(reconciliation.CATEGORIES) == {category.value for category in DismissCategory}
    assert reconciliation.STATEMENT_BYTES_MAX == BYTES_MAX
    assert rails.FILE_STATES == rail.FILE_STATES


def test_a_bulk_shows_the_states_of_its_lines_and_what_failed_as_a_file(api: ApiHarness, auditor: Browser) -> None:
    merchant, _ = builders.organization(api, "1.50")
    lines = [builders.line("1.00", n, description=HOSTILE, counterparty_name=f"{HOSTILE}{n}") for n in (1, 2)]
    answer = merchant.order(builders.TRANSFERS, builders.order(*lines, mode="best_effort"))
    api.post_payments()
    id = answer.get_json()["id"]
    listed = auditor.page("/console/bulks")
    [bar] = [svg for svg in listed.all("svg") if "of 2" in str(svg.get("aria-label"))]
    assert bar["aria-label"] == "1 authorized, 1 failed of 2"
    path = f"/console/bulks/transfers/{id}"
    assert listed.all("a", href=f"{path}?state=FAILED")
    page = auditor.page(f"{path}?state=FAILED")
    assert HOSTILE in page.text
    assert not page.all("img")
    assert len(page.all("tr", **{"data-row": None})) == 1  # type: ignore[arg-type]
    file = auditor.get(f"{path}/lines.csv?state=FAILED")
    assert file.mimetype == "text/csv"
    assert "attachment" in file.headers["Content-Disposition"]
    assert file.text.count("\r\n") == 2, "a header and the line that failed"
    assert "insufficient_funds" in file.text
    assert auditor.get(f"/console/bulks/charges/{id}/lines.csv", 404)
    assert auditor.get(f"/console/bulks/gifts/{id}", 404)
    charges = alerts(auditor.get("/console/bulks?kind=charges&state=FAILED"))
    assert "No bulk of charges has this state" in charges


def test_rails_show_what_the_bank_knows_and_their_files(
    api: ApiHarness, ops: Browser, auditor: Browser, client: ApiUser, customer_wallet: str
) -> None:
    send(api, withdraw(api, client, customer_wallet))
    with transaction(api.worker) as connection:
        connection.exec_driver_sql("INSERT INTO rail_positions (rail, position) VALUES ('r', '1')")
        for _ in range(2):  # what is noted twice is there once
            kept = [BankFile("written", f"{HOSTILE}.xml", 3, b"<Document/>"), BankFile("broken", "b", None)]
            rail.note_files(connection, "r", kept)
    page = ops.page("/console/rails")
    assert page.all("a", href="/console/rails/r?state=written")
    [row] = [one for one in api.person("auditor").get("/v1/ops/rails").get_json()["data"] if one["rail"] == "r"]
    assert {name: row[name] for name in ("rail", "to_tell", "told", "received", "undecided", "asked")} == {
        **{"rail": "r", "to_tell": 0, "told": 1, "received": 0, "undecided": 0, "asked": 0},
    }
    assert row["files"] == {"written": 1, "read": 0, "broken": 1}
    files = ops.page("/console/rails/r?state=written,broken")
    assert HOSTILE in files.text
    assert not files.all("img")
    assert ops.get("/console/rails/NONE", 404)
    [link] = [str(one["href"]) for one in files.all("a") if "/files/" in str(one.get("href"))]
    for reader in (ops, auditor):
        file = reader.get(link)
        assert (file.data, file.mimetype) == (b"<Document/>", "application/xml")
        assert file.headers["Content-Disposition"].startswith("attachment;")
    assert "not kept" in files.text
    assert f"{HOSTILE}.xml 3 11 " in " ".join(files.text.split()), "its payouts and bytes"
    assert ops.get("/console/rails/other/files/" + link.rpartition("/")[2], 404)


def test_pausing_and_resuming_with_a_reason(api: ApiHarness, ops: Browser, auditor: Browser, merchant: ApiUser) -> None:
    path, form = "/console/rails/pauses", {"scope": "merchant", "name": merchant.id, "until": "", "reason": HOSTILE}
    client = api.user("client", "Ann")
    with api.unchanged():
        assert auditor.form(path, form, "/console/rails").status_code == 403
        refused = ops.form(path, {**form, "name": client}, "/console/rails")
    assert refused.status_code == 404
    assert "There is no such merchant" in alerts(refused)
    assert ops.form(path, form, "/console/rails").location == "/console/rails?done=paused"
    page = ops.page("/console/rails?done=paused")
    assert HOSTILE in page.text
    assert not page.all("img")
    [resume] = [one["action"] for one in page.all("form", method="post") if str(one["action"]).endswith("/resume")]
    assert not auditor.page("/console/rails").all("form", action=str(resume))
    assert ops.form(str(resume), {"reason": ""}, "/console/rails").status_code == 422
    assert ops.form(str(resume), {"reason": "mended"}, "/console/rails").location == "/console/rails?done=resumed"
    assert "Nothing is paused" in alerts(ops.get("/console/rails"))


def test_a_statement_is_compared_and_its_exceptions_decided(
    api: ApiHarness, ops: Browser, auditor: Browser, client: ApiUser, customer_wallet: str
) -> None:
    id = paid(api, client, customer_wallet)
    data = table(row(id, "9.00"), row(amount="3.00", description=HOSTILE))
    path = "/console/reconciliation"

    def sent(content: bytes = data) -> dict[str, Any]:
        return {"form": "text/csv", "statement": (io.BytesIO(content), "../../x.csv", "text/csv")}

    with api.unchanged():
        assert auditor.form(path, sent(), path).status_code == 403
        assert ops.form(path, {"form": "text/csv"}, path).status_code == 422
        broken = ops.form(path, sent(b"x,y\n1,2\n"), path)
        assert broken.status_code in (400, 422), broken.text
        large = ops.form(path, sent(b"x" * (BYTES_MAX + 1)), path)
        assert large.status_code == 413
        large.request.environ["wsgi.input"].close()
    answer = ops.form(path, sent(), path)
    assert answer.status_code == 303, alerts(answer)
    statement = answer.location
    assert ops.form(path, sent(), path).location == statement, "the same file is the same statement"
    listed = ops.page(path)
    assert listed.all("a", href=f"{statement}?verdict=mismatched")
    page = ops.page(f"{statement}?verdict=missing_here&age=over-5")
    assert HOSTILE in page.text
    assert not page.all("img")
    assert not auditor.page(statement).all("select", name="category")
    lines = f"{statement}/lines"
    with api.unchanged():
        for person, name, form, status in (
            (auditor, "dismiss", {"category": "fee", "reason": "x"}, 403),
            (ops, "dismiss", {"category": "fee", "reason": ""}, 422),
            (ops, "match", {"payment": "x", "reason": "x"}, 422),
            (ops, "keep", {"reason": "x"}, 404),
        ):
            assert person.form(f"{lines}/2/{name}", form, statement).status_code == status, name
    done = ops.form(f"{lines}/2/dismiss", {"category": "fee", "reason": HOSTILE}, statement)
    assert done.location == f"{statement}?done=2&verdict=mismatched,missing_here,missing_there"
    assert ops.form(f"{lines}/1/match", {"payment": id, "reason": "the bank kept a euro"}, statement).status_code == 303
    again = ops.form(f"{lines}/1/match", {"payment": id, "reason": "twice"}, statement)
    assert (again.status_code, "line_matched" in again.text) == (409, True)
    page = ops.page(f"{statement}?verdict=matched,dismissed")
    assert "the bank kept a euro" in page.text
    assert HOSTILE in page.text
    related = ops.page(f"/console/payments/{id}")
    assert related.all("a", href=f"{statement}#line-1")


def test_webhooks_are_seen_and_sent_again(api: ApiHarness, ops: Browser, auditor: Browser, merchant: ApiUser) -> None:
    hook = endpoint(merchant, url=f"{URL}/x?{'q' * 50}")
    ids = [delivery(api, hook, **GIVEN_UP), delivery(api, hook, **DELIVERED)]
    attempted(api, ids[0], (None, "timeout"), (500, "status"))
    api.execute("UPDATE webhook_attempts SET answer = %s WHERE delivery_id = %s", HOSTILE.encode(), ids[0])
    api.execute("UPDATE webhook_endpoints SET failing_since = now() WHERE id = %s", hook)
    path, mine = f"/console/webhooks/{hook}", f"/console/webhooks?user={merchant.id}"
    assert ops.page(f"{mine}&state=failing,disabled").all("a", href=path)
    assert not ops.page(f"{mine}&state=ok").all("a", href=path)
    listed = ops.page(f"{path}?state=failed")
    assert listed.all("a", href=f"/console/webhooks/deliveries/{ids[0]}")
    assert not listed.all("a", href=f"/console/webhooks/deliveries/{ids[1]}")
    one = f"/console/webhooks/deliveries/{ids[0]}"
    page = auditor.page(one)
    assert HOSTILE in page.text
    assert not page.all("img")
    assert not page.all("form", action=f"{one}/redeliver")
    with api.unchanged():
        assert auditor.form(f"{one}/redeliver", {"reason": "x"}, one).status_code == 403
        assert auditor.form(f"{path}/redeliver", {"reason": "x"}, path).status_code == 403
        assert ops.form(f"{one}/redeliver", {"reason": ""}, one).status_code == 422
        assert ops.form(f"{path}/redeliver", {"from": "x", "to": "", "reason": "x"}, path).status_code == 422
    assert ops.form(f"{one}/redeliver", {"reason": HOSTILE}, one).location == f"{one}?done=1"
    assert "The next try is" in alerts(ops.get(f"{one}?done=1"))
    november = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "states": "all", "reason": "lost"}
    assert ops.form(f"{path}/redeliver", november, path).location == f"{path}?done=1", "one is due already"
    assert [entry["action"] for id in (ids[0], hook) for entry in api.audit_log(id)] == [
        *("webhook_deliveries.redeliver", "webhook_endpoints.create", "webhook_endpoints.redeliver"),
    ]


def test_twenty_who_send_a_delivery_again_at_once_do_it_once(api: ApiHarness, merchant: ApiUser) -> None:
    id, person = delivery(api, endpoint(merchant), **GIVEN_UP), api.person("ops")
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(
                lambda _: person.call("POST", f"/v1/ops/webhook-deliveries/{id}/redeliver", json={"reason": "again"}),
                range(20),
            )
        )
    assert {answer.status_code for answer in answers} == {202}
    assert [entry["action"] for entry in api.audit_log(id)] == ["webhook_deliveries.redeliver"]


def test_who_began_before_a_reset_resets_nothing(api: ApiHarness, merchant: ApiUser) -> None:
    id = delivery(api, endpoint(merchant), **GIVEN_UP)
    with transaction(api.worker) as earlier:
        earlier.exec_driver_sql("SELECT now()")
        with transaction(api.worker) as later:
            assert webhook_delivery.reset(later, id)
        assert not webhook_delivery.reset(earlier, id)


def test_workers_show_who_is_alive_and_who_posts(api: ApiHarness, auditor: Browser) -> None:
    with transaction(api.worker) as connection:
        heartbeat.beat(connection, f"posting@{HOSTILE}")
        heartbeat.beat(connection, "beat")
    with transaction(api.worker) as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (POSTING_LOCK,))
        connection.exec_driver_sql("SET LOCAL application_name = 'payments-worker posting-2@host'")
        page = auditor.page("/console/workers")
    text = " ".join(page.text.split())
    assert "Posts now posting-2@host" in text
    assert f"posting@{HOSTILE} ok payments" in text
    assert not page.all("img")
    assert "the broker is away" in text


def test_an_adjustment_is_proposed_once(api: ApiHarness, ops: Browser, auditor: Browser, customer_wallet: str) -> None:
    path = "/console/adjustments"
    form = {"account": customer_wallet, "direction": "credit", "amount": "4.00", "currency": "EUR", "reason": HOSTILE}
    with api.unchanged():
        assert auditor.form(path, {**form, "key": "a1"}, path).status_code == 403
        refused = ops.form(path, {**form, "amount": "x", "key": "a1"}, path)
    assert refused.status_code == 422
    assert 'value="a1"' in refused.text, "the key is kept for the next try"
    first, again = (ops.form(path, {**form, "key": "a1"}, path) for _ in range(2))
    assert first.status_code == 303
    assert first.location == again.location
    page = ops.page(f"{path}?state=proposed")
    assert HOSTILE in page.text
    assert not page.all("img")
    assert not auditor.page(path).all("form", action=path)
