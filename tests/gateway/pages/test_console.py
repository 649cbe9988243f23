"""The pages of ops about payments: overview, list, one payment and its verbs, retries of many; as ops and auditor."""

import re

import pytest

from embedded.postgres import Postgres
from gateway.pages.console import payment, payments, retries
from gateway.pages.console.payment_verbs import VERBS
from models.imbalance import INVARIANT
from models.rules.ops_actions import OpsAction
from models.rules.state import State
from models.rules.types import PaymentType
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.payouts import answer, send, withdraw
from tests.gateway.ops.stuck_payments import order, park
from tests.gateway.ops.waiting_payments import WaitingPayments
from tests.gateway.pages.browsers import Browser, alerts
from tests.support import Database, past_the_triggers
from workers import auditor

HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def held(api: ApiHarness, merchant: ApiUser, customer_wallet: str, merchant_wallet: str) -> str:
    """The id of a charge of 1,234.50 that is held, of a hostile customer."""
    deposit = {"wallet": customer_wallet, "amount": "2000.00", "currency": "EUR", "source": "wire"}
    assert merchant.api.person("ops").order("/v1/deposits", deposit).status_code == 202
    api.post_payments()
    id = merchant.charge(
        customer_wallet, "1234.50", capture=False, summary=HOSTILE, reference=HOSTILE, metadata={"note": HOSTILE}
    )
    api.post_payments()
    return id


def test_the_lists_of_the_pages_are_those_of_the_api() -> None:
    assert set(payments.STATES) == {state.value for state in State}
    assert set(payments.TYPES) == {type.value for type in PaymentType}
    assert set(VERBS) == {action.value for action in OpsAction}


def test_the_overview_opens_with_what_needs_a_person(api: ApiHarness, ops: Browser, client: ApiUser) -> None:
    park(api, order(client, client.wallet()))
    page = ops.get("/console")
    text = alerts(page)
    assert text.index("Needs a person") < text.index("Parked payments") < text.index("Accepted within the last")
    assert 'href="/console/payments?parked=true"' in page.text
    assert "<svg" in page.text
    assert "24 min" in alerts(ops.get("/console?span=day"))


def test_the_list_keeps_filters_and_columns_in_its_url(ops: Browser, held: str, merchant: ApiUser) -> None:
    url = f"/console/payments?state=AUTHORIZED&merchant={merchant.id}&columns=state,amount,summary"
    answer = ops.get(f"{url}&type=", 303)
    assert answer.location == url.replace(",", "%2C"), "what a form leaves empty is not kept"
    page = ops.page(url)
    assert "1,234.50 EUR" in " ".join(page.text.split())
    assert HOSTILE in page.text
    assert not page.all("img")
    [remove] = [link for link in page.all("a") if link.get("aria-label") == "Remove the filter State"]
    assert remove["href"] == f"/console/payments?merchant={merchant.id}&columns=state%2Camount%2Csummary"
    assert [box["value"] for box in page.all("input", name="columns") if "checked" in box] == [
        "state",
        "amount",
        "summary",
    ]
    [row] = page.all("input", name="ids", value=held)
    assert row["data-actions"] == "fail capture void"
    refused = ops.get("/console/payments?parked=true&stuck=5", 422)
    assert "exactly one of" in alerts(refused)


def test_an_auditor_reads_all_and_changes_nothing(api: ApiHarness, auditor: Browser, held: str) -> None:
    for path in ("/console", "/console/payments", f"/console/payments/{held}", "/console/batches"):
        page = auditor.page(path)
        assert not page.all("form", method="post") or all(
            form["action"] in ("/pages/times", "/sign-out", "/console/payments/selected")
            for form in page.all("form", method="post")
        )
        assert not page.all("button", name="verb")
    batch = WaitingPayments(api).batch()
    with api.unchanged():
        for name in VERBS:
            data = {"reason": "x", "outcome": "not_paid"}
            answer = auditor.form(f"/console/payments/{held}/{name}", data, f"/console/payments/{held}")
            assert answer.status_code == 403, name
            assert "scope_missing" in answer.text
        for path, form in (
            ("/console/payments/selected", {"verb": "retry", "ids": [held]}),
            ("/console/batches", {"selection": held, "reason": "x"}),
            (f"/console/batches/{batch}/stop", {"reason": "x"}),
        ):
            assert auditor.form(path, form, "/console").status_code == 403, path


def test_a_payment_shows_its_story_and_only_legal_verbs(api: ApiHarness, ops: Browser, held: str) -> None:
    page = ops.page(f"/console/payments/{held}")
    text = " ".join(page.text.split())
    assert "Charge of 1,234.50 EUR" in text
    assert "The amount is held for its merchant" in text
    [key] = api.execute("SELECT key FROM idempotency_keys WHERE payment_id = %s", held)
    assert f"Idempotency key {key} Request id {held.replace('-', '')}" in text
    assert HOSTILE in page.text
    assert not page.all("img")
    forms = {form["action"] for form in page.all("form", method="post")}
    verbs = {f"/console/payments/{held}/{name}" for name in ("capture", "void", "fail", "notes")}
    assert forms - {"/pages/times", "/sign-out"} == verbs
    assert f"/v1/ops/payments/{held}/void -H 'Prefer: wait=2'" in page.text.replace("&#39;", "'")


def test_a_verb_is_carried_out_once_and_refused_with_its_reason(api: ApiHarness, ops: Browser, held: str) -> None:
    path = f"/console/payments/{held}"
    refused = ops.form(f"{path}/capture", {"amount": "9999999.00", "reason": "all"}, path)
    assert refused.status_code == 422
    assert "amount_too_large" in refused.text
    assert 'value="9999999.00"' in refused.text, "what was typed is still there"
    assert ops.form(f"{path}/capture", {"reason": ""}, path).status_code == 422
    assert ops.form(f"{path}/cancel", {"reason": "no"}, path).status_code == 409
    done = ops.form(f"{path}/capture", {"amount": "1000.00", "reason": HOSTILE}, path)
    assert (done.status_code, done.location) == (303, f"{path}?done=capture")
    again = ops.form(f"{path}/void", {"reason": "too late"}, path)
    assert again.status_code == 409
    assert "ending_ordered" in again.text
    api.post_payments()
    page = ops.page(f"{path}?done=capture")
    text = " ".join(page.text.split())
    assert "Ordered: capture" in text
    assert "final, " in text
    assert "Sum in EUR 0.00 EUR" in text, "the operations sum to zero"
    assert "−1,000.00 EUR" in text
    assert HOSTILE in page.text
    assert [entry["reason"] for entry in api.audit_log(held)] == [HOSTILE]


@pytest.mark.parametrize(
    ("shown", "explanation", "words"),
    [
        (
            {"state": "INITIATED"},
            {"next_attempt_at": "2026-01-31T12:00:42+00:00", "attempts": 3},
            "next try in 42 s, 4 of 8",
        ),
        (
            {"state": "INITIATED"},
            {"next_attempt_at": "2026-01-31T11:59:00+00:00", "attempts": 0},
            "next try now, 1 of 8",
        ),
        ({"state": "INITIATED"}, {"parked_at": "2026-01-31T11:59:00+00:00", "attempts": 8}, "parked after 8 attempts"),
        ({"state": "AUTHORIZED"}, {"next_attempt_at": "2026-01-31T13:00:00+00:00"}, "next try in 1 h"),
        ({"state": "COMPLETED", "finalized_at": "2026-01-31T12:00:00.120+00:00"}, {}, "final, 120 ms after"),
    ],
)
def test_the_head_says_in_words_what_comes_next(shown: dict, explanation: dict, words: str) -> None:
    at = "2026-01-31T12:00:00+00:00"
    known = {"finalized_at": None, "created_at": at, "paused": None, **shown}
    explained = {"next_attempt_at": None, "parked_at": None, "explained_at": at, "attempts": 0, "attempts_max": 8}
    assert payment.headline(known, {**explained, **explanation}).startswith(words)


def test_many_are_retried_in_two_steps_exactly_as_shown(api: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = WaitingPayments(api)
    ops = Browser(api, waiting.ops.token)
    filter = f"/console/payments?parked=true&user={waiting.client.id}"
    [all] = ops.page(filter).all("button", name="all")
    step = ops.form("/console/payments/selected", {"all": all["value"]}, filter)
    text = alerts(step)
    assert "Retry 5 payments" in text
    assert "5.00 EUR in 5" in text
    assert "no luck" in text
    selection = step.text.split('name="selection" value="')[1].split('"')[0]
    monkeypatch.setattr(retries, "TYPED_ABOVE", 4)
    sent = {"selection": selection, "count": "5", "reason": "the disk is back"}
    assert ops.form("/console/batches", {**sent, "number": "4"}, "/console").status_code == 422
    answer = ops.form("/console/batches", {**sent, "number": "5"}, "/console")
    assert answer.status_code == 303
    assert ops.form("/console/batches", {**sent, "number": "5"}, "/console").location == answer.location, "once"
    page = alerts(ops.get(answer.location))
    assert "Batch of 5 retries" in page
    assert "the disk is back" in page
    stopped = ops.form(f"{answer.location}/stop", {"reason": "wait"}, answer.location)
    assert stopped.location == answer.location
    assert "Stopped" in alerts(ops.get(answer.location))
    waiting.carry_out()
    again = ops.form(f"{answer.location}/retry", {"reason": "now"}, answer.location)
    assert again.status_code == 303
    assert again.location != answer.location
    waiting.carry_out()
    assert "Completed 5" in alerts(ops.get(again.location))
    assert alerts(ops.get("/console/batches")).count("…") >= 2


def test_a_verb_for_several_says_what_became_of_each(api: ApiHarness) -> None:
    waiting = WaitingPayments(api)
    ops = Browser(api, waiting.ops.token)
    chosen = [*waiting.parked[:2], *waiting.stuck[:1]]
    mixed = ops.form("/console/payments/selected", {"verb": "retry", "ids": chosen}, "/console")
    assert mixed.status_code == 422
    step = ops.form("/console/payments/selected", {"verb": "cancel", "ids": chosen}, "/console")
    assert "Cancel: 3 payments" in alerts(step)
    api.post_payments()
    done = ops.form("/console/payments/selected/cancel", {"ids": chosen, "reason": "not wanted"}, "/console")
    text = alerts(done)
    assert (text.count("ordered"), text.count("refused")) == (2, 1)
    assert ops.form("/console/payments/selected", {"verb": "cancel"}, "/console").status_code == 422


def test_open_items_are_taken_and_given_back_on_the_overview(
    api: ApiHarness, ops: Browser, auditor: Browser, client: ApiUser
) -> None:
    id = order(client, client.wallet())
    park(api, id)
    api.execute("UPDATE payments SET parked_at = parked_at - interval '30 days' WHERE id = %s", id)
    api.execute(
        "INSERT INTO backlog_samples (minute, waiting, oldest_due_seconds)"
        " VALUES (date_trunc('minute', now(), 'UTC') - interval '5 minutes', 1, 61)"
    )
    take = {"kind": "parked", "subject": id}
    page = ops.page("/console")
    assert page.all("input", name="subject", value=id)
    assert [chart for chart in page.all("svg") if "waited 1 min 1 s at most; 1 of 60" in str(chart.get("aria-label"))]
    assert not auditor.page("/console").all("input", name="subject")
    with api.unchanged():
        assert auditor.form("/console/open-items/take", take, "/console").status_code == 403
        assert ops.form("/console/open-items/take", {**take, "subject": "x"}, "/console").status_code == 404
    assert ops.form("/console/open-items/take", take, "/console").status_code == 303
    other = Browser(api, api.person("ops", HOSTILE).token)
    refused = other.form("/console/open-items/take", take, "/console")
    assert (refused.status_code, "item_taken" in refused.text) == (409, True)
    [give_back] = [
        form["action"] for form in other.page("/console").all("form") if str(form["action"]).endswith("/give-back")
    ]
    assert other.form(str(give_back), {}, "/console").status_code == 303
    assert other.form("/console/open-items/take", take, "/console").status_code == 303
    page = ops.page("/console")
    assert HOSTILE in page.text
    assert not page.all("img")


def test_a_payment_has_notes_a_compact_history_and_a_file(
    api: ApiHarness, ops: Browser, auditor: Browser, held: str
) -> None:
    path = f"/console/payments/{held}"
    with api.unchanged():
        assert auditor.form(f"{path}/notes", {"text": "x"}, path).status_code == 403
        assert ops.form(f"{path}/notes", {"text": ""}, path).status_code == 422
    assert ops.form(f"{path}/notes", {"text": HOSTILE}, path).location == f"{path}#notes"
    page = auditor.page(f"{path}?compact=1")
    assert page.text.count(HOSTILE) >= 2
    assert not page.all("img")
    assert not page.all("form", action=f"{path}/notes")
    file = auditor.get(f"{path}/payment.json").get_json()
    assert file["review"]["notes"][0]["text"] == HOSTILE
    assert file["explanation"]["timeline"]


def test_the_bank_is_shown_beside_ours_before_a_verb(
    api: ApiHarness, ops: Browser, client: ApiUser, customer_wallet: str
) -> None:
    id = send(api, withdraw(api, client, customer_wallet), parks=True)
    path = f"/console/payments/{id}"
    assert "ask before you decide" in alerts(ops.get(path))
    assert ops.form(f"{path}/ask", {"reason": "they called"}, path).status_code == 303
    answer(api, id, "confirmed")
    text = alerts(ops.get(path))
    assert "Answer unknown confirmed differs" in text
    assert "Reference of the bank – B 1 differs" in text
    assert text.index("The bank beside us") < text.index("Resolve")


def test_the_overview_shows_what_the_auditor_found_out_of_balance(
    api: ApiHarness, ops: Browser, client: ApiUser, postgres: Postgres, database: Database
) -> None:
    def figure() -> str:
        [found] = re.findall(
            r'<a class="figure( bad)?" href="([^"]+)"><small>Imbalance(.*?)</a>', ops.get("/console").text
        )
        assert found[1] == "/console/api?path=/v1/ops/breaches%3Fopen%3Dtrue"
        return found[0] + re.sub("<[^>]+>", "", found[2])

    wallet = client.wallet("5.00")
    assert figure() == "–", "nobody has looked"
    auditor.run(api.worker)
    assert re.fullmatch(r", seen [-0-9 :]+0", figure())
    change = "UPDATE accounts SET balance = balance + %s WHERE token = %s"
    past_the_triggers(postgres, database.name, change, -7, wallet)
    [found] = [one for one in auditor.run(api.worker).new if one.invariant == INVARIANT]
    assert found.subject == "EUR"
    assert re.fullmatch(r" bad, seen [-0-9 :]+−0\.07 EUR ?", figure())
    past_the_triggers(postgres, database.name, change, 7, wallet)
    assert "EUR" in auditor.run(api.worker).healed
    body = api.person("ops").get("/v1/ops/overview").get_json()
    assert {one["amount"] for one in body["imbalances"] if one["currency"] == "EUR"} == {"0.00"}
