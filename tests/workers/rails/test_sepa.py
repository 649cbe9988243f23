"""The SEPA rail: which payouts it takes, and what its pain.001 files say."""

from pathlib import Path

import pytest
import xmlschema
from hypothesis import HealthCheck, given
from hypothesis import settings as thoroughly
from hypothesis import strategies as st
from schwifty import IBAN

from gateway.bulks.pain001 import read_pain001
from models.iso20022 import document, number
from models.payout import Payout
from models.rules.money import render
from models.sepa_charset import plain
from tests.iso20022_messages import ORDER, SCHEMA
from tests.workers.rails.sepa_files import DEBTOR, answers, keys_written, new_payout, written
from workers.rails.base import PayoutState
from workers.rails.sepa import AMOUNT_MAX, SepaRail
from workers.rails.sepa_files import key_of


@pytest.fixture(scope="session")
def schema(cached_schemas: None) -> xmlschema.XMLSchema:
    """pain.001.001.09."""
    return xmlschema.XMLSchema(str(SCHEMA))


# What is written

PLAIN = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ", min_size=1, max_size=70
).filter(lambda text: text == " ".join(text.split()) and text)
WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=140)
IBANS = st.from_regex(r"[0-9]{8}", fullmatch=True).map(
    lambda digits: str(IBAN.generate("DE", bank_code="37040044", account_code="00" + digits))
)


def instructions(texts: st.SearchStrategy) -> st.SearchStrategy:
    made = st.builds(
        new_payout,
        payment_id=st.uuids().map(str),
        amount=st.integers(1, AMOUNT_MAX),
        iban=IBANS,
        bic=st.sampled_from([None, "COBADEFFXXX", "MARKDEFF"]),
        name=texts,
        description=st.none() | texts,
    )
    return st.lists(made, min_size=1, max_size=6, unique_by=lambda made: made.payment_id)


@given(instructions(PLAIN))
@thoroughly(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_file_is_valid_and_has_the_same_payouts(
    tmp_path_factory: pytest.TempPathFactory, schema: xmlschema.XMLSchema, lines: list[Payout]
) -> None:
    outbox = tmp_path_factory.mktemp("out")
    assert answers(SepaRail(outbox, outbox, DEBTOR).submit(lines)) == {PayoutState.PENDING}
    [data] = written(outbox)
    schema.validate(data.decode())
    body = read_pain001(data)
    assert {name: body[name] for name in body if name != "credit_transfers"} == {
        **{"organization_name": "Payments GmbH", "organization_iban": DEBTOR.iban, "organization_bic": DEBTOR.bic},
        "currency": "EUR",
    }
    expected = [
        {
            "amount": number(render(line.amount, 2)),
            "counterparty_name": line.name,
            "counterparty_iban": line.iban,
            "counterparty_bic": line.bic,
            "description": line.description,
            "end_to_end_id": key_of(line.payment_id),
            "scheduled_at": f"{document(data, ORDER).findtext('.//ReqdExctnDt/Dt')}T00:00:00Z",
        }
        for line in lines
    ]
    assert body["credit_transfers"] == [{k: v for k, v in line.items() if v is not None} for line in expected]


@given(instructions(WORDS))
@thoroughly(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_leaves_amount_and_iban_unchanged(
    tmp_path_factory: pytest.TempPathFactory, schema: xmlschema.XMLSchema, lines: list[Payout]
) -> None:
    outbox = tmp_path_factory.mktemp("out")
    outcomes = SepaRail(outbox, outbox, DEBTOR).submit(lines)
    pending = [line for line in lines if outcomes[line.payment_id].state is PayoutState.PENDING]
    assert [line for line in lines if plain(line.name, 70)] == pending
    for data in written(outbox):
        schema.validate(data.decode())
        transfers = read_pain001(data)["credit_transfers"]
        assert [(t["end_to_end_id"], t["amount"], t["counterparty_iban"]) for t in transfers] == [
            (key_of(line.payment_id), number(render(line.amount, 2)), line.iban) for line in pending
        ]


@pytest.mark.parametrize(
    ("text", "length", "written"),
    [
        ("Zoë & Søren <Ünal>", 70, "Zoe + Soren .Unal."),
        ("Лев Толстой", 70, "Lev Tolstoi"),
        ("a\u00a0 b", 70, "a b"),
        ("x" * 80, 70, "x" * 70),
        ("😀", 70, ""),
    ],
)
def test_text_is_written_in_the_sepa_charset(text: str, length: int, written: str) -> None:
    assert plain(text, length) == written


def test_control_sum_is_that_of_the_payouts(files: SepaRail, outbox: Path) -> None:
    files.submit([new_payout(amount=1450), new_payout(amount=66660)])
    assert written(outbox)[0].count(b"<CtrlSum>681.10</CtrlSum>") == 2


@pytest.mark.parametrize(
    ("reference", "kind"),
    [("RF18539007547034", "<Cd>SCOR</Cd>"), ("210000000003139471430009017", "<Prtry>QRR</Prtry>")],
)
def test_creditor_reference_is_in_the_file(
    files: SepaRail, outbox: Path, schema: xmlschema.XMLSchema, reference: str, kind: str
) -> None:
    referred = new_payout(description=None, creditor_reference=reference)
    files.submit([new_payout(), referred])
    [data] = written(outbox)
    schema.validate(data.decode())
    assert kind.encode() in data
    lines = {line["end_to_end_id"]: line for line in read_pain001(data)["credit_transfers"]}
    assert lines[key_of(referred.payment_id)]["creditor_reference"] == reference
    assert sum("creditor_reference" in line for line in lines.values()) == 1


def test_debtor_without_bic_is_written_as_not_provided(outbox: Path, inbox: Path, schema: xmlschema.XMLSchema) -> None:
    SepaRail(outbox, inbox, DEBTOR._replace(bic=None)).submit([new_payout()])
    [data] = written(outbox)
    schema.validate(data.decode())
    assert b"<Id>NOTPROVIDED</Id>" in data


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"currency": "USD"}, "EUR alone"),
        ({"amount": AMOUNT_MAX + 1}, "at most"),
        ({"iban": "SA0380000000608010167519"}, "outside SEPA"),
        ({"iban": "XX00"}, "outside SEPA"),
        ({"name": "😀"}, "Latin"),
        ({"bic": "nonsense"}, "pain.001"),
    ],
)
def test_payout_that_sepa_cannot_pay_is_rejected_alone(
    files: SepaRail, outbox: Path, changes: dict[str, object], reason: str
) -> None:
    good, bad = new_payout(), new_payout(**changes)
    outcomes = files.submit([bad, good])
    assert (outcomes[bad.payment_id].state, outcomes[good.payment_id].state) == (
        PayoutState.REJECTED,
        PayoutState.PENDING,
    )
    assert reason in (outcomes[bad.payment_id].reason or "")
    assert keys_written(outbox) == [key_of(good.payment_id)]
    assert answers(files.inquire([bad])) == {PayoutState.NOT_FOUND}
