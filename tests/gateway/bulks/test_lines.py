"""Lines of bulk transfers over HTTP: the day that they wait for, references of creditors, and ids of a message."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.bulks.lines import DAYS_LATE_MAX
from tests.gateway.bulks.builders import (
    BIC,
    ORGANIZATION,
    TRANSFERS,
    errors_of,
    funds,
    line,
    lines,
    order,
    organization,
    read,
)
from tests.gateway.bulks.pain001_files import file_of, sent, transfer
from tests.gateway.harness import ApiHarness

RF = "RF18539007547034"


def today(api: ApiHarness) -> datetime:
    """The first moment of the day, by the database's clock."""
    [now] = api.execute("SELECT now()")
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def test_later_execution_day_is_waited_for(api: ApiHarness) -> None:
    merchant, wallet = organization(api, "5.00")
    day = today(api) + timedelta(days=3)
    answer = sent(merchant, file_of(transfer(), transfer(2), day=day.date().isoformat()))
    assert answer.status_code == 202
    api.post_payments()
    assert (read(merchant, answer)["state"], funds(merchant, wallet)) == ("INITIATED", ("5.00", "5.00"))
    assert [datetime.fromisoformat(sent["scheduled_at"]) for sent in lines(merchant, answer)] == [day, day]
    payment = merchant.payment(lines(merchant, answer)[0]["payment"])
    assert (payment["state"], datetime.fromisoformat(payment["scheduled_at"])) == ("INITIATED", day)
    ids = [sent["payment"] for sent in lines(merchant, answer)]
    api.execute("UPDATE payments SET due_at = now() WHERE id = ANY(%s::uuid[])", ids)
    api.post_payments()
    assert read(merchant, answer)["counts"]["authorized"] == 2, "on its day it is paid as any other"
    assert funds(merchant, wallet) == ("5.00", "3.00")


@pytest.mark.parametrize("days", [0, 1, DAYS_LATE_MAX])
def test_execution_day_missed_by_a_few_is_today(api: ApiHarness, days: int) -> None:
    merchant, _ = organization(api, "5.00")
    answer = sent(merchant, file_of(transfer(), day=(today(api) - timedelta(days=days)).date().isoformat()))
    api.post_payments()
    assert (answer.status_code, read(merchant, answer)["counts"]["authorized"]) == (202, 1)
    assert lines(merchant, answer)[0]["scheduled_at"] is None


def test_execution_day_long_past_is_refused(api: ApiHarness) -> None:
    merchant, _ = organization(api)
    past = (today(api) - timedelta(days=DAYS_LATE_MAX + 1)).date().isoformat()
    with api.unchanged():
        for day in (past, "2026-02-30", "tomorrow", "9999-01-01"):
            answer = sent(merchant, file_of(transfer(), day=day))
            assert (answer.status_code, errors_of(answer)) == (
                422,
                [("/credit_transfers/0/scheduled_at", "invalid_value")],
            )


def test_creditor_reference_reaches_the_bank_file(api: ApiHarness) -> None:
    merchant, _ = organization(api, "5.00")
    structured = f"<RmtInf><Strd><CdtrRefInf><Ref>{RF}</Ref></CdtrRefInf></Strd></RmtInf>"
    by_file = sent(merchant, file_of(transfer(rest=structured)))
    as_json = line(creditor_reference="rf18 5390\u00a00754 7034")
    del as_json["description"]
    for answer in (by_file, merchant.order(TRANSFERS, order(as_json))):
        assert answer.status_code == 202
        [shown] = lines(merchant, answer)
        assert (shown["creditor_reference"], shown["description"]) == (RF, None)
        kept = "SELECT creditor_reference FROM instructions WHERE payment_id = %s"
        assert api.execute(kept, shown["payment"]) == [RF]


def test_invalid_creditor_reference_is_refused(api: ApiHarness) -> None:
    merchant, _ = organization(api)
    structured = f"<RmtInf><Strd><CdtrRefInf><Ref>{RF[:-1]}5</Ref></CdtrRefInf></Strd></RmtInf>"
    with api.unchanged():
        answer = sent(merchant, file_of(transfer(), transfer(2, rest=structured)))
        pointer = "/credit_transfers/1/creditor_reference"
        assert (answer.status_code, errors_of(answer)) == (422, [(pointer, "creditor_reference_invalid")])
        both = structured.replace(f"{RF[:-1]}5", RF).replace("<Strd>", "<Ustrd>May</Ustrd><Strd>")
        answer = sent(merchant, file_of(transfer(rest=both)))
        assert errors_of(answer) == [("/credit_transfers/0/creditor_reference", "invalid_value")]


def test_ids_are_kept_and_may_come_again_in_another_message(api: ApiHarness) -> None:
    merchant, _ = organization(api, "5.00")
    data = file_of(
        transfer(1, ids="<InstrId>I-1</InstrId><EndToEndId>SALARY</EndToEndId>"),
        transfer(2, ids="<InstrId>I-2</InstrId><EndToEndId>SALARY</EndToEndId>"),
        transfer(3, ids="<EndToEndId>NOTPROVIDED</EndToEndId>"),
    )
    for answer in (sent(merchant, data), sent(merchant, data)):
        assert answer.status_code == 202
        shown = [(sent["instruction_id"], sent["end_to_end_id"], sent["reference"]) for sent in lines(merchant, answer)]
        assert shown == [("I-1", "SALARY", None), ("I-2", "SALARY", None), (None, None, None)]
    with api.unchanged():
        same = "<EndToEndId>A</EndToEndId>"
        twice = sent(merchant, file_of(transfer(ids=same), transfer(2, ids=same)))
        assert (twice.status_code, twice.get_json()["code"]) == (409, "duplicate_reference")
        assert errors_of(twice) == [("/credit_transfers/1/end_to_end_id", "duplicate_reference")]


@pytest.mark.parametrize("amount", ["01.00", "1.000", "+1.00", "1."])
def test_numbers_of_xml_that_fit_the_currency(api: ApiHarness, amount: str) -> None:
    merchant, _ = organization(api)
    assert sent(merchant, file_of(transfer(amount=amount))).get_json()["total"] == "1.00"
    with api.unchanged():
        assert merchant.order(TRANSFERS, order(line(amount))).status_code == 422, "in JSON there is one spelling"
        finer = sent(merchant, file_of(transfer(amount="1.001")))
        assert errors_of(finer) == [("/credit_transfers/0/amount", "amount_precision")]


def test_debtor_name_is_compared_in_sepa_letters(api: ApiHarness) -> None:
    merchant = api.person("merchant", "Bücher & Söhne")
    registered = {"organization_name": "Bücher & Söhne", "iban": ORGANIZATION["organization_iban"], "bic": BIC}
    body = {**registered, "wallet": merchant.wallet()}
    assert merchant.call("POST", "/v1/bank-accounts", json=body).status_code == 201
    for name in ("Bucher + Sohne", "BUECHER + SOEHNE"):
        assert sent(merchant, file_of(transfer(), name=name)).status_code == 202
    with api.unchanged():
        assert errors_of(sent(merchant, file_of(transfer(), name="Other"))) == [
            ("/organization_name", "bank_account_unknown")
        ]
