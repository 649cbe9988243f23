"""Bulk transfers over HTTP: stored as a whole, decided as a whole or line by line."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from embedded.postgres import Postgres
from models.invariants import violations
from models.session import transaction
from tests.gateway.bulks.builders import (
    BIC,
    ORGANIZATION,
    TRANSFERS,
    answer_of_the_bank,
    errors_of,
    funds,
    iban,
    line,
    lines,
    order,
    organization,
    read,
)
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import at_once, costing

BULKS = 60


AT_ONCE = 20


def test_whole_units_become_a_total(api: ApiHarness) -> None:
    merchant, wallet = organization(api, "1000.00")
    answer = merchant.order(TRANSFERS, order(line("14.5"), line("666.6", 2, reference="A-2")))
    kept = answer.get_json()
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "1")
    assert answer.headers["Location"] == f"{TRANSFERS}/{kept['id']}"
    assert (kept["total"], kept["currency"], kept["mode"], kept["state"]) == ("681.10", "EUR", "atomic", "INITIATED")
    assert kept["counts"] == {"lines": 2, "initiated": 2, "authorized": 0, "completed": 0, "failed": 0}
    assert funds(merchant, wallet) == ("1000.00", "1000.00")
    api.post_payments()
    assert read(merchant, answer)["counts"]["authorized"] == 2
    assert funds(merchant, wallet) == ("1000.00", "318.90")
    first, second = lines(merchant, answer)
    assert (first["line"], first["amount"], first["description"]) == (1, "14.50", "Salary 1")
    assert second["counterparty"] == {"name": "Payee 2", "last4": iban(2)[-4:]}
    assert second["reference"] == "A-2"
    payment = merchant.payment(second["payment"])
    assert (payment["type"], payment["bulk"], payment["amount"]) == ("withdrawal", kept["id"], "666.60")


@pytest.mark.parametrize(
    ("kinds", "state", "balance"),
    [
        (("confirm", "confirm"), "COMPLETED", ("8.00", "8.00")),
        (("confirm", "reject"), "PARTIALLY_COMPLETED", ("9.00", "9.00")),
        (("reject", "reject"), "FAILED", ("10.00", "10.00")),
    ],
)
def test_bulk_is_final_with_its_last_line(api: ApiHarness, kinds: tuple[str, str], state: str, balance: Any) -> None:
    merchant, wallet = organization(api, "10.00")
    answer = merchant.order(TRANSFERS, order(line(), line(n=2)))
    api.post_payments()
    for kind, sent in zip(kinds, lines(merchant, answer), strict=True):
        assert read(merchant, answer)["finalized_at"] is None
        answer_of_the_bank(api, kind, [sent["payment"]])
    assert (read(merchant, answer)["state"], funds(merchant, wallet)) == (state, balance)
    assert "Retry-After" not in merchant.get(answer.headers["Location"]).headers
    rejected = lines(merchant, answer, "state=FAILED")
    assert [sent["failure"]["code"] for sent in rejected] == ["rejected_by_bank"] * kinds.count("reject")
    with transaction(api.worker) as connection:
        assert violations(connection) == []


def test_uncovered_atomic_bulk_posts_no_line(api: ApiHarness) -> None:
    """Elsewhere those that still fitted were paid."""
    merchant, wallet = organization(api, "2.50")
    answer = merchant.order(TRANSFERS, order(*(line(n=n) for n in range(3))))
    api.post_payments()
    bulk = read(merchant, answer)
    assert (bulk["state"], bulk["failure"]["code"], bulk["counts"]["failed"]) == ("FAILED", "insufficient_funds", 3)
    assert {sent["failure"]["code"] for sent in lines(merchant, answer)} == {"insufficient_funds"}
    assert funds(merchant, wallet) == ("2.50", "2.50")


def test_atomic_bulk_fails_if_commission_consumes_a_line(api: ApiHarness, postgres: Postgres) -> None:
    merchant, wallet = organization(api, "100.00")
    terms = {"currency": "EUR", "merchant_id": merchant.id, "minimum": 50}
    costing(postgres, api.database.name, "withdrawal", **terms)
    answer = merchant.order(TRANSFERS, order(line("10.00"), line("0.50", 2)))
    api.post_payments()
    bulk = read(merchant, answer)
    assert (bulk["failure"]["code"], bulk["counts"]["failed"]) == ("commission_exceeds_amount", 2)
    assert funds(merchant, wallet) == ("100.00", "100.00")
    fitting = merchant.order(TRANSFERS, order(line("10.00"), line("0.51", 2)))
    api.post_payments()
    assert read(merchant, fitting)["counts"]["authorized"] == 2


def test_best_effort_pays_what_the_balance_allows(api: ApiHarness) -> None:
    merchant, wallet = organization(api, "2.50")
    answer = merchant.order(TRANSFERS, order(*(line(n=n) for n in range(3)), mode="best_effort"))
    api.post_payments()
    assert [sent["state"] for sent in lines(merchant, answer)] == ["AUTHORIZED", "AUTHORIZED", "FAILED"]
    assert (read(merchant, answer)["failure"], funds(merchant, wallet)) == (None, ("2.50", "0.50"))


def test_only_a_best_effort_line_can_be_canceled(api: ApiHarness) -> None:
    merchant, wallet = organization(api, "2.00")
    together = merchant.order(TRANSFERS, order(line(), line(n=2)))
    alone = merchant.order(TRANSFERS, order(line(), line(n=2), mode="best_effort"))
    with api.unchanged():
        refused = merchant.order(f"/v1/payments/{lines(merchant, together)[0]['payment']}/cancel", {})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "illegal_transition")
    assert merchant.order(f"/v1/payments/{lines(merchant, alone)[0]['payment']}/cancel", {}).status_code == 202
    api.post_payments()
    assert [sent["state"] for sent in lines(merchant, together)] == ["AUTHORIZED"] * 2
    assert [sent["failure"]["code"] for sent in lines(merchant, alone)] == ["canceled", "insufficient_funds"]
    assert funds(merchant, wallet) == ("2.00", "0.00")


@pytest.mark.parametrize(("customer_wallet", "paid"), [("60.00", 60), ("17.00", 17)])
def test_many_bulks_pay_what_the_balance_allows(api: ApiHarness, customer_wallet: str, paid: int) -> None:
    merchant, wallet = organization(api, customer_wallet)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: merchant.order(TRANSFERS, order(line("1.00", n))), range(BULKS)))
    assert {answer.status_code for answer in answers} == {202}
    api.post_payments()
    states = [read(merchant, answer)["state"] for answer in answers]
    assert (BULKS - states.count("FAILED"), funds(merchant, wallet)) == (paid, (customer_wallet, "0.00"))


def test_twenty_equal_requests_are_one_bulk(api: ApiHarness, payer: ApiUser) -> None:
    body = order(line(reference="A-1"), line(n=2))
    answers = at_once(AT_ONCE, lambda _: payer.order(TRANSFERS, body, "once"))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == AT_ONCE - 1
    assert read(payer, answers[0])["counts"]["lines"] == len(lines(payer, answers[0])) == 2


def test_whitespace_and_member_order_do_not_matter_to_the_key(api: ApiHarness, payer: ApiUser) -> None:
    """Elsewhere a blank in a line beat the search for duplicates."""
    body = order(line(), line(n=2))
    first = payer.order(TRANSFERS, body, "salaries")
    api.post_payments()
    written = json.dumps(dict(reversed(body.items())), indent=4).encode()
    with api.unchanged():
        again = payer.raw(TRANSFERS, written, **{"Idempotency-Key": '"salaries"'})
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.get_json() == read(payer, first), "as it is now"
    other = payer.order(TRANSFERS, order(line(), line(n=3)), "salaries")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")


def test_next_months_salaries_are_no_duplicates(api: ApiHarness) -> None:
    """Elsewhere a legal repeat was refused without end."""
    merchant, wallet = organization(api, "10.00")
    body = order(line("2.00"), line("2.00", 2))
    ids = {merchant.order(TRANSFERS, body).get_json()["id"] for _ in range(2)}
    api.post_payments()
    assert (len(ids), funds(merchant, wallet)) == (2, ("10.00", "2.00"))


def test_a_reference_is_given_once(api: ApiHarness, payer: ApiUser) -> None:
    """Elsewhere a blank behind it made it another."""
    first = payer.order(TRANSFERS, order(line(reference="A-1"), line(n=2, reference="A-2")))
    taken = lines(payer, first)[1]["payment"]
    with api.unchanged():
        again = payer.order(TRANSFERS, order(line(), line(n=2, reference="A-3"), line(n=3, reference=" A-2 ")))
        twice = payer.order(TRANSFERS, order(line(reference="B 1"), line(n=2), line(n=3, reference=" B\u00a0 1")))
    assert (again.status_code, again.get_json()["code"]) == (409, "duplicate_reference")
    assert (errors_of(again), again.get_json()["payment"]) == (
        [("/credit_transfers/2/reference", "duplicate_reference")],
        taken,
    )
    assert (twice.status_code, errors_of(twice)) == (409, [("/credit_transfers/2/reference", "duplicate_reference")])
    other = organization(api)[0]
    assert other.order(TRANSFERS, order(line(reference="A-1"))).status_code == 202


def test_a_bulk_counts_as_one_request(api: ApiHarness, payer: ApiUser) -> None:
    limits = [
        answer.headers["RateLimit"].partition("r=")[2].partition(";")[0]
        for answer in (payer.get("/v1/me"), payer.order(TRANSFERS, order(*(line(n=n) for n in range(50)))))
    ]
    assert int(limits[0]) - int(limits[1]) in (1, int(limits[0]) - 999_999), "or a new second has begun"


def test_pain_001_says_the_same_as_json(api: ApiHarness, payer: ApiUser) -> None:
    lines_of_it = "".join(
        f"<CdtTrfTxInf><PmtId><EndToEndId>E-{n}</EndToEndId></PmtId><Amt><InstdAmt Ccy='EUR'>{amount}</InstdAmt></Amt>"
        f"<CdtrAgt><FinInstnId><BICFI>{BIC}</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>Payee {n}</Nm></Cdtr>"
        f"<CdtrAcct><Id><IBAN>{iban(n)}</IBAN></Id></CdtrAcct><RmtInf><Ustrd>Salary {n}</Ustrd></RmtInf></CdtTrfTxInf>"
        for n, amount in enumerate(["14.5", "666.60"], 1)
    )
    [day] = api.execute("SELECT (now() AT TIME ZONE 'UTC')::date::text")
    document = (
        "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.001.001.09'><CstmrCdtTrfInitn><GrpHdr><MsgId>M-1</MsgId>"
        "<CreDtTm>2026-11-21T10:00:00</CreDtTm><NbOfTxs>2</NbOfTxs><CtrlSum>681.10</CtrlSum><InitgPty/></GrpHdr><PmtInf>"
        "<PmtInfId>P-1</PmtInfId><PmtMtd>TRF</PmtMtd><NbOfTxs>2</NbOfTxs><CtrlSum>681.10</CtrlSum>"
        f"<ReqdExctnDt><Dt>{day}</Dt></ReqdExctnDt><Dbtr><Nm>{ORGANIZATION['organization_name']}</Nm></Dbtr>"
        f"<DbtrAcct><Id><IBAN>{ORGANIZATION['organization_iban']}</IBAN></Id></DbtrAcct><DbtrAgt><FinInstnId><BICFI>"
        f"{BIC}</BICFI></FinInstnId></DbtrAgt>{lines_of_it}</PmtInf></CstmrCdtTrfInitn></Document>"
    ).encode()
    answer = payer.raw(TRANSFERS, document, "application/xml")
    assert (answer.status_code, answer.get_json()["total"]) == (202, "681.10")
    assert [sent["counterparty"]["name"] for sent in lines(payer, answer)] == ["Payee 1", "Payee 2"]
    with api.unchanged():
        wrong = payer.raw(TRANSFERS, document.replace(iban(2).encode(), b"DE00"), "application/xml")
        assert errors_of(wrong) == [("/credit_transfers/1/counterparty_iban", "iban_invalid")]
        assert payer.raw(TRANSFERS, b"<a", "application/xml").status_code == 400
        assert payer.raw("/v1/charges", document, "application/xml").status_code == 415
