"""Bulk transfers over HTTP: stored as a whole, decided as a whole or line by line, read line by line."""

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import make_url
from uuid_utils import compat as uuids

from embedded.postgres import Postgres
from gateway.bulks.schemas import LINES_MAX
from models.invariants import violations
from models.session import transaction
from tests.gateway.bulks.builders import (
    BIC,
    ORGANIZATION,
    TRANSFERS,
    answer_of_the_bank,
    funds,
    iban,
    line,
    lines,
    order,
    organization,
    read,
)
from tests.gateway.harness import ApiHarness, ApiUser
from tests.support import costing

CROWD = 60
AT_ONCE = 20


@pytest.fixture
def merchant(house: ApiHarness) -> ApiUser:
    """A merchant with a registered bank account that pays from an empty wallet."""
    return organization(house)[0]


def flaws(answer: Any) -> list[tuple[str, str]]:
    """Pointer and code of each flaw."""
    return [(flaw["pointer"], flaw["code"]) for flaw in answer.get_json()["errors"]]


def test_whole_units_become_a_total(house: ApiHarness) -> None:
    merchant, wallet = organization(house, "1000.00")
    answer = merchant.order(TRANSFERS, order(line("14.5"), line("666.6", 2, reference="A-2")))
    kept = answer.get_json()
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "1")
    assert answer.headers["Location"] == f"{TRANSFERS}/{kept['id']}"
    assert (kept["total"], kept["currency"], kept["mode"], kept["state"]) == ("681.10", "EUR", "atomic", "INITIATED")
    assert kept["counts"] == {"lines": 2, "initiated": 2, "authorized": 0, "completed": 0, "failed": 0}
    assert funds(merchant, wallet) == ("1000.00", "1000.00")
    house.post_payments()
    assert read(merchant, answer)["counts"]["authorized"] == 2
    assert funds(merchant, wallet) == ("1000.00", "318.90")
    first, second = lines(merchant, answer)
    assert (first["line"], first["amount"], first["description"]) == (1, "14.50", "Salary 1")
    assert second["counterparty"] == {"name": "Payee 2", "last4": iban(2)[-4:]}
    assert second["reference"] == "A-2"
    payment = merchant.get(f"/v1/payments/{second['payment']}").get_json()
    assert (payment["type"], payment["bulk"], payment["amount"]) == ("withdrawal", kept["id"], "666.60")


@pytest.mark.parametrize(
    ("words", "state", "balance"),
    [
        (("confirm", "confirm"), "COMPLETED", ("8.00", "8.00")),
        (("confirm", "reject"), "PARTIALLY_COMPLETED", ("9.00", "9.00")),
        (("reject", "reject"), "FAILED", ("10.00", "10.00")),
    ],
)
def test_bulk_is_final_with_its_last_line(house: ApiHarness, words: tuple[str, str], state: str, balance: Any) -> None:
    merchant, wallet = organization(house, "10.00")
    answer = merchant.order(TRANSFERS, order(line(), line(n=2)))
    house.post_payments()
    for word, sent in zip(words, lines(merchant, answer), strict=True):
        assert read(merchant, answer)["finalized_at"] is None
        answer_of_the_bank(house, word, [sent["payment"]])
    assert (read(merchant, answer)["state"], funds(merchant, wallet)) == (state, balance)
    assert "Retry-After" not in merchant.get(answer.headers["Location"]).headers
    rejected = lines(merchant, answer, "state=FAILED")
    assert [sent["failure"]["code"] for sent in rejected] == ["rejected_by_bank"] * words.count("reject")
    with transaction(house.worker) as connection:
        assert violations(connection) == []


def test_uncovered_atomic_bulk_posts_no_line(house: ApiHarness) -> None:
    """Elsewhere those that still fitted were paid."""
    merchant, wallet = organization(house, "2.50")
    answer = merchant.order(TRANSFERS, order(*(line(n=n) for n in range(3))))
    house.post_payments()
    bulk = read(merchant, answer)
    assert (bulk["state"], bulk["failure"]["code"], bulk["counts"]["failed"]) == ("FAILED", "insufficient_funds", 3)
    assert {sent["failure"]["code"] for sent in lines(merchant, answer)} == {"insufficient_funds"}
    assert funds(merchant, wallet) == ("2.50", "2.50")


def test_atomic_bulk_fails_if_commission_consumes_a_line(house: ApiHarness, postgres: Postgres) -> None:
    merchant, wallet = organization(house, "100.00")
    terms = {"currency": "EUR", "merchant_id": merchant.id, "minimum": 50}
    costing(postgres, make_url(house.database.owner).database, "withdrawal", **terms)
    answer = merchant.order(TRANSFERS, order(line("10.00"), line("0.50", 2)))
    house.post_payments()
    bulk = read(merchant, answer)
    assert (bulk["failure"]["code"], bulk["counts"]["failed"]) == ("commission_exceeds_amount", 2)
    assert funds(merchant, wallet) == ("100.00", "100.00")
    fitting = merchant.order(TRANSFERS, order(line("10.00"), line("0.51", 2)))
    house.post_payments()
    assert read(merchant, fitting)["counts"]["authorized"] == 2


def test_best_effort_pays_what_the_balance_allows(house: ApiHarness) -> None:
    merchant, wallet = organization(house, "2.50")
    answer = merchant.order(TRANSFERS, order(*(line(n=n) for n in range(3)), mode="best_effort"))
    house.post_payments()
    assert [sent["state"] for sent in lines(merchant, answer)] == ["AUTHORIZED", "AUTHORIZED", "FAILED"]
    assert (read(merchant, answer)["failure"], funds(merchant, wallet)) == (None, ("2.50", "0.50"))


def test_only_a_best_effort_line_can_be_canceled(house: ApiHarness) -> None:
    merchant, wallet = organization(house, "2.00")
    together = merchant.order(TRANSFERS, order(line(), line(n=2)))
    alone = merchant.order(TRANSFERS, order(line(), line(n=2), mode="best_effort"))
    with house.unchanged():
        refused = merchant.order(f"/v1/payments/{lines(merchant, together)[0]['payment']}/cancel", {})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "illegal_transition")
    assert merchant.order(f"/v1/payments/{lines(merchant, alone)[0]['payment']}/cancel", {}).status_code == 202
    house.post_payments()
    assert [sent["state"] for sent in lines(merchant, together)] == ["AUTHORIZED"] * 2
    assert [sent["failure"]["code"] for sent in lines(merchant, alone)] == ["canceled", "insufficient_funds"]
    assert funds(merchant, wallet) == ("2.00", "0.00")


@pytest.mark.parametrize(("customer_wallet", "paid"), [("60.00", 60), ("17.00", 17)])
def test_many_bulks_pay_what_the_balance_allows(house: ApiHarness, customer_wallet: str, paid: int) -> None:
    merchant, wallet = organization(house, customer_wallet)
    with ThreadPoolExecutor(10) as crowd:
        answers = list(crowd.map(lambda n: merchant.order(TRANSFERS, order(line("1.00", n))), range(CROWD)))
    assert {answer.status_code for answer in answers} == {202}
    house.post_payments()
    states = [read(merchant, answer)["state"] for answer in answers]
    assert (CROWD - states.count("FAILED"), funds(merchant, wallet)) == (paid, (customer_wallet, "0.00"))


def test_twenty_equal_requests_are_one_bulk(house: ApiHarness, merchant: ApiUser) -> None:
    body = order(line(reference="A-1"), line(n=2))
    with ThreadPoolExecutor(AT_ONCE) as crowd:
        answers = list(crowd.map(lambda _: merchant.order(TRANSFERS, body, "once"), range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == AT_ONCE - 1
    assert read(merchant, answers[0])["counts"]["lines"] == len(lines(merchant, answers[0])) == 2


def test_whitespace_and_member_order_do_not_matter_to_the_key(house: ApiHarness, merchant: ApiUser) -> None:
    """Elsewhere a blank in a line beat the search for duplicates."""
    body = order(line(), line(n=2))
    first = merchant.order(TRANSFERS, body, "salaries")
    house.post_payments()
    written = json.dumps(dict(reversed(body.items())), indent=4).encode()
    with house.unchanged():
        again = merchant.raw(TRANSFERS, written, **{"Idempotency-Key": '"salaries"'})
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.get_json() == read(merchant, first), "as it is now"
    other = merchant.order(TRANSFERS, order(line(), line(n=3)), "salaries")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")


def test_next_months_salaries_are_no_duplicates(house: ApiHarness) -> None:
    """Elsewhere a legal repeat was refused for ever."""
    merchant, wallet = organization(house, "10.00")
    body = order(line("2.00"), line("2.00", 2))
    ids = {merchant.order(TRANSFERS, body).get_json()["id"] for _ in range(2)}
    house.post_payments()
    assert (len(ids), funds(merchant, wallet)) == (2, ("10.00", "2.00"))


def test_a_reference_is_given_once(house: ApiHarness, merchant: ApiUser) -> None:
    """Elsewhere a blank behind it made it another."""
    first = merchant.order(TRANSFERS, order(line(reference="A-1"), line(n=2, reference="A-2")))
    taken = lines(merchant, first)[1]["payment"]
    with house.unchanged():
        again = merchant.order(TRANSFERS, order(line(), line(n=2, reference="A-3"), line(n=3, reference=" A-2 ")))
        twice = merchant.order(TRANSFERS, order(line(reference="B 1"), line(n=2), line(n=3, reference=" B\u00a0 1")))
    assert (again.status_code, again.get_json()["code"]) == (409, "duplicate_reference")
    assert (flaws(again), again.get_json()["payment"]) == (
        [("/credit_transfers/2/reference", "duplicate_reference")],
        taken,
    )
    assert (twice.status_code, flaws(twice)) == (409, [("/credit_transfers/2/reference", "duplicate_reference")])
    other = organization(house)[0]
    assert other.order(TRANSFERS, order(line(reference="A-1"))).status_code == 202


AMOUNTS = {
    "0.001": "amount_precision",
    "NaN": "amount_invalid",
    "0": "amount_not_positive",
    "-1.00": "amount_invalid",
    "1e3": "amount_invalid",
    " 1": "amount_invalid",
    14.5: "amount_must_be_string",
    "9" * 39: "amount_too_large",
}


@pytest.mark.parametrize(("amount", "code"), list(AMOUNTS.items()))
def test_an_amount_that_cannot_be_paid_is_named(house: ApiHarness, merchant: ApiUser, amount: Any, code: str) -> None:
    """Elsewhere the sub-cents of a line were rounded away, and the total with them."""
    with house.unchanged():
        answer = merchant.order(TRANSFERS, order(line(), line(n=2, **{"amount": amount})))
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert flaws(answer) == [("/credit_transfers/1/amount", code)]


@pytest.mark.parametrize(
    ("members", "code", "where"),
    [
        ({"counterparty_iban": "DE88370400440532013000"}, "iban_invalid", "counterparty_iban"),
        ({"counterparty_iban": None}, "null_not_allowed", "counterparty_iban"),
        ({"counterparty_iban": 5}, "invalid_type", "counterparty_iban"),
        ({"counterparty_bic": "COBADEF"}, "bic_invalid", "counterparty_bic"),
        ({"counterparty_bic": "BNPAFRPP"}, "bic_mismatch", "counterparty_bic"),
        ({"counterparty_name": " "}, "invalid_value", "counterparty_name"),
        ({"counterparty_name": "x" * 71}, "text_too_long", "counterparty_name"),
        ({"description": "x" * 141}, "text_too_long", "description"),
        ({"description": "a\x00b"}, "text_invalid", "description"),
        ({"currency": "USD"}, "currency_mismatch", "currency"),
        ({"wallet": "wal"}, "unknown_field", "wallet"),
    ],
)
def test_each_wrong_line_is_named(
    house: ApiHarness, merchant: ApiUser, members: dict[str, Any], code: str, where: str
) -> None:
    with house.unchanged():
        answer = merchant.order(TRANSFERS, order(*(line(n=n) for n in range(3)), line(n=3, **members)))
    assert (answer.status_code, flaws(answer)) == (422, [(f"/credit_transfers/3/{where}", code)])


def test_outside_sepa_a_bic_is_required(house: ApiHarness, merchant: ApiUser) -> None:
    turkish = line(counterparty_iban="TR330006100519786457841326")
    del turkish["counterparty_bic"]
    german = {**line(), "counterparty_iban": " ".join([iban(1)[:4], iban(1)[4:]])}
    del german["counterparty_bic"]
    with house.unchanged():
        answer = merchant.order(TRANSFERS, order(german, turkish))
    assert flaws(answer) == [("/credit_transfers/1/counterparty_bic", "bic_required")]
    assert merchant.order(TRANSFERS, order(german)).status_code == 202


@pytest.mark.parametrize(
    ("members", "code", "pointer"),
    [
        ({"organization_iban": iban(7)}, "bank_account_unknown", "/organization_iban"),
        ({"organization_name": "Other Corp"}, "bank_account_unknown", "/organization_name"),
        ({"organization_bic": "DEUTDEFF"}, "bank_account_unknown", "/organization_bic"),
        ({"currency": "USD"}, "currency_mismatch", "/currency"),
        ({"mode": "both"}, "invalid_value", "/mode"),
        ({"is_open": True}, "invalid_value", "/mode"),
        ({"credit_transfers": []}, "invalid_value", "/credit_transfers"),
        ({"credit_transfers": {}}, "invalid_type", "/credit_transfers"),
        ({"credit_transfers": [1]}, "invalid_type", "/credit_transfers/0"),
    ],
)
def test_invalid_bulks_are_refused(
    house: ApiHarness, merchant: ApiUser, members: dict[str, Any], code: str, pointer: str
) -> None:
    with house.unchanged():
        answer = merchant.order(TRANSFERS, order(line(), **members))
    assert (answer.status_code, flaws(answer)) == (422, [(pointer, code)])


def test_the_organizations_bic_is_of_its_ibans_country(house: ApiHarness, merchant: ApiUser) -> None:
    registered = {"organization_name": "Branch", "iban": iban(77), "wallet": merchant.wallet()}
    assert merchant.call("POST", "/v1/bank-accounts", json=registered).status_code == 201
    named = {"organization_name": "Branch", "organization_iban": iban(77)}
    with house.unchanged():
        answer = merchant.order(TRANSFERS, order(line(), **named, organization_bic="BNPAFRPP"))
    assert (answer.status_code, flaws(answer)) == (422, [("/organization_bic", "bic_mismatch")])
    assert merchant.order(TRANSFERS, order(line(), **named)).status_code == 202


def test_organization_name_may_differ_in_spelling(merchant: ApiUser) -> None:
    written = {"organization_name": "acme  CORP", "organization_iban": "de89 3704 0044 0532 0130 00"}
    assert merchant.order(TRANSFERS, order(line(), **written, currency="EUR")).status_code == 202


def test_bulk_takes_a_thousand_lines_at_most(house: ApiHarness, merchant: ApiUser) -> None:
    sent_lines = [line("0.01", n) for n in range(LINES_MAX + 1)]
    with house.unchanged():
        answer = merchant.order(TRANSFERS, order(*sent_lines))
        assert (answer.status_code, flaws(answer)) == (422, [("/credit_transfers", "invalid_value")])
        oversized = merchant.raw(TRANSFERS, json.dumps(order(*sent_lines[:-1])).encode().ljust(1024 * 1024 + 1))
        assert oversized.status_code == 413
        elsewhere = merchant.raw("/v1/charges", b" " * 65 * 1024)
        assert elsewhere.status_code == 413, "only bulks are so large"
    kept = merchant.order(TRANSFERS, order(*sent_lines[:-1]))
    assert (kept.status_code, kept.get_json()["total"]) == (202, "10.00")


def test_a_bulk_counts_as_one_request(house: ApiHarness, merchant: ApiUser) -> None:
    limits = [
        answer.headers["RateLimit"].partition("r=")[2].partition(";")[0]
        for answer in (merchant.get("/v1/me"), merchant.order(TRANSFERS, order(*(line(n=n) for n in range(50)))))
    ]
    assert int(limits[0]) - int(limits[1]) in (1, int(limits[0]) - 999_999), "or a new second has begun"


def test_lines_are_read_in_pages_and_by_state(house: ApiHarness) -> None:
    merchant, _ = organization(house, "2.00")
    answer = merchant.order(TRANSFERS, order(*(line(n=n) for n in range(5)), mode="best_effort"))
    house.post_payments()
    path = f"{answer.headers['Location']}/lines"
    first = merchant.get(f"{path}?limit=2").get_json()
    second = merchant.get(f"{path}?limit=2&cursor={first['next_cursor']}").get_json()
    third = merchant.get(f"{path}?limit=2&cursor={second['next_cursor']}").get_json()
    back = merchant.get(f"{path}?limit=2&cursor={third['prev_cursor']}").get_json()
    numbers = [[sent["line"] for sent in page["data"]] for page in (first, second, third, back)]
    assert numbers == [[1, 2], [3, 4], [5], [3, 4]]
    assert (third["has_more"], back["has_more"]) == (False, True)
    assert [sent["line"] for sent in lines(merchant, answer, "state=FAILED")] == [3, 4, 5]
    assert merchant.get(f"{path}?limit=101").status_code == 422


def test_lines_are_downloaded(house: ApiHarness) -> None:
    merchant, _ = organization(house, "1.00")
    sent_lines = [line(n=n, counterparty_name=name) for n, name in enumerate(["=1+1", "Ödön, Bt."])]
    answer = merchant.order(TRANSFERS, order(*sent_lines, mode="best_effort"))
    house.post_payments()
    path = f"{answer.headers['Location']}/lines"
    table = merchant.get(path, Accept="text/csv").get_data(as_text=True)
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["line"], row["counterparty_name"], row["state"]) for row in rows] == [
        ("1", "'=1+1", "AUTHORIZED"),
        ("2", "Ödön, Bt.", "FAILED"),
    ]
    answer_body = merchant.get(path, Accept="application/x-ndjson").get_data(as_text=True).splitlines()
    assert [json.loads(text) for text in answer_body] == lines(merchant, answer)


def test_bulk_is_visible_to_its_initiator_and_readers(house: ApiHarness, merchant: ApiUser) -> None:
    answer = merchant.order(TRANSFERS, order(line()))
    path, other = answer.headers["Location"], organization(house)[0]
    unknown = f"{TRANSFERS}/{uuids.uuid7()}"
    for reader in (house.person("client"), other):
        for suffix in ("", "/lines"):
            theirs, nothing = reader.get(path + suffix), reader.get(unknown + suffix)
            assert (theirs.status_code, nothing.status_code) == (404, 404)
            assert theirs.get_json()["detail"] == nothing.get_json()["detail"]
        assert reader.get(TRANSFERS).get_json()["data"] == []
    assert other.call("POST", f"{path}/close", json={}).status_code == 404
    assert merchant.get(path.replace("transfers", "charges")).status_code == 404
    for role in ("ops", "auditor"):
        reader = house.person(role)
        assert (reader.get(path).status_code, reader.get(f"{path}/lines").status_code) == (200, 200)
        assert reader.get(f"{TRANSFERS}?limit=1").get_json()["data"][0]["id"] == answer.get_json()["id"]


def test_bulks_are_listed_newest_first_and_by_state(house: ApiHarness, merchant: ApiUser) -> None:
    ids = [merchant.order(TRANSFERS, order(line(n=n))).get_json()["id"] for n in range(3)]
    assert [bulk["id"] for bulk in merchant.get(f"{TRANSFERS}?limit=2").get_json()["data"]] == ids[:0:-1]
    house.post_payments()
    assert len(merchant.get(f"{TRANSFERS}?state=FAILED,COMPLETED").get_json()["data"]) == 3
    assert merchant.get(f"{TRANSFERS}?state=INITIATED").get_json()["data"] == []
    assert merchant.get(f"{TRANSFERS}?state=AUTHORIZED").status_code == 422


def test_bulk_with_known_etag_answers_304(house: ApiHarness, merchant: ApiUser) -> None:
    answer = merchant.order(TRANSFERS, order(line()))
    path, tag = answer.headers["Location"], answer.headers["ETag"]
    assert merchant.get(path, **{"If-None-Match": tag}).status_code == 304
    house.post_payments()
    assert merchant.get(path, **{"If-None-Match": tag}).status_code == 200


def test_a_bulk_needs_a_key_and_the_scope(house: ApiHarness, merchant: ApiUser) -> None:
    people = (house.person("client"), house.person("ops"), house.person("merchant", scopes=["charges:write"]))
    with house.unchanged():
        answer = merchant.call("POST", TRANSFERS, json=order(line()))
        assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency_key_missing")
        for person in people:
            assert person.order(TRANSFERS, order(line())).get_json()["code"] == "scope_missing"


def test_inactive_bank_account_or_wallet_is_refused(house: ApiHarness) -> None:
    merchant, wallet = organization(house, "5.00")
    kept = merchant.order(TRANSFERS, order(line()), "once")
    [account] = merchant.get("/v1/bank-accounts").get_json()["data"]
    for path in (f"/v1/bank-accounts/{account['id']}", f"/v1/wallets/{wallet}"):
        off, on = (
            merchant.call("PATCH", path, json={"is_active": active}, headers={"If-Match": "*"})
            for active in (False, True)
        )
        assert (off.status_code, on.status_code) == (200, 200)
        merchant.call("PATCH", path, json={"is_active": False}, headers={"If-Match": "*"})
        answer = merchant.order(TRANSFERS, order(line()))
        assert (answer.status_code, flaws(answer)) == (422, [("/organization_iban", "account_inactive")])
        assert merchant.order(TRANSFERS, order(line()), "once").get_json()["id"] == kept.get_json()["id"]
        merchant.call("PATCH", path, json={"is_active": True}, headers={"If-Match": "*"})


def test_pain_001_says_the_same_as_json(house: ApiHarness, merchant: ApiUser) -> None:
    lines_of_it = "".join(
        f"<CdtTrfTxInf><PmtId><EndToEndId>E-{n}</EndToEndId></PmtId><Amt><InstdAmt Ccy='EUR'>{amount}</InstdAmt></Amt>"
        f"<CdtrAgt><FinInstnId><BICFI>{BIC}</BICFI></FinInstnId></CdtrAgt><Cdtr><Nm>Payee {n}</Nm></Cdtr>"
        f"<CdtrAcct><Id><IBAN>{iban(n)}</IBAN></Id></CdtrAcct><RmtInf><Ustrd>Salary {n}</Ustrd></RmtInf></CdtTrfTxInf>"
        for n, amount in enumerate(["14.5", "666.60"], 1)
    )
    [day] = house.execute("SELECT (now() AT TIME ZONE 'UTC')::date::text")
    document = (
        "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.001.001.09'><CstmrCdtTrfInitn><GrpHdr><MsgId>M-1</MsgId>"
        "<CreDtTm>2026-11-21T10:00:00</CreDtTm><NbOfTxs>2</NbOfTxs><CtrlSum>681.10</CtrlSum><InitgPty/></GrpHdr><PmtInf>"
        "<PmtInfId>P-1</PmtInfId><PmtMtd>TRF</PmtMtd><NbOfTxs>2</NbOfTxs><CtrlSum>681.10</CtrlSum>"
        f"<ReqdExctnDt><Dt>{day}</Dt></ReqdExctnDt><Dbtr><Nm>{ORGANIZATION['organization_name']}</Nm></Dbtr>"
        f"<DbtrAcct><Id><IBAN>{ORGANIZATION['organization_iban']}</IBAN></Id></DbtrAcct><DbtrAgt><FinInstnId><BICFI>"
        f"{BIC}</BICFI></FinInstnId></DbtrAgt>{lines_of_it}</PmtInf></CstmrCdtTrfInitn></Document>"
    ).encode()
    answer = merchant.raw(TRANSFERS, document, "application/xml")
    assert (answer.status_code, answer.get_json()["total"]) == (202, "681.10")
    assert [sent["counterparty"]["name"] for sent in lines(merchant, answer)] == ["Payee 1", "Payee 2"]
    with house.unchanged():
        wrong = merchant.raw(TRANSFERS, document.replace(iban(2).encode(), b"DE00"), "application/xml")
        assert flaws(wrong) == [("/credit_transfers/1/counterparty_iban", "iban_invalid")]
        assert merchant.raw(TRANSFERS, b"<a", "application/xml").status_code == 400
        assert merchant.raw("/v1/charges", document, "application/xml").status_code == 415
