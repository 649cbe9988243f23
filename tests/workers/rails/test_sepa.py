"""The rail of files: what it writes is valid and stands in one file alone, whoever dies; what it reads is read once."""

import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import xmlschema
from hypothesis import HealthCheck, given
from hypothesis import settings as thoroughly
from hypothesis import strategies as st
from schwifty import IBAN

import settings as configuration
from gateway.bulks.pain001 import read_pain001
from models.bank_return import Return
from models.iso20022 import document, number
from models.payout import Payout
from models.rules.money import render
from models.sepa_charset import plain
from tests.iso20022_messages import CAMT, ORDER, REPORT, RETURNED, SCHEMA, STRANGE, camt, entry, report, status, strange
from tests.workers.rails.conftest import Desk
from workers.rails import RailError, open_rail, sepa, sepa_exchange_folders
from workers.rails.base import BankUpdate, PayoutState, Rail, RailAway
from workers.rails.sepa import AMOUNT_MAX, SepaRail
from workers.rails.sepa_files import Debtor, key_of, keys_in

DEBTOR = Debtor("Payments GmbH", "DE89370400440532013000", "COBADEFFXXX")
PAYEE = "FR1420041010050500013M02606"
POINTS_MAX = 100


def one(**changes: object) -> Payout:
    """An instruction of its own."""
    given = {
        **{"payment_id": str(uuid4()), "amount": 1450, "digits": 2, "currency": "EUR", "iban": PAYEE, "bic": None},
        **{"name": "Marie Curie", "description": "Salary", "rail": "sepa", "attempts": 1, "submitted_at": None},
    }
    return Payout(**{**given, **changes})


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """Where the rail leaves files."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Where the rail finds files."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def files(outbox: Path, inbox: Path) -> SepaRail:
    """The rail between the two."""
    return SepaRail(outbox, inbox, DEBTOR)


@pytest.fixture(scope="session")
def schema() -> xmlschema.XMLSchema:
    """pain.001.001.09."""
    return xmlschema.XMLSchema(SCHEMA)


def written(outbox: Path) -> list[bytes]:
    """The files that the bank may take."""
    return [path.read_bytes() for path in sorted(outbox.glob("*.xml"))]


def told(outbox: Path) -> list[str]:
    """The keys in all of them."""
    return sorted(key for data in written(outbox) for key in keys_in(data))


def answers(outcomes: dict) -> set[PayoutState]:
    return {outcome.answer for outcome in outcomes.values()}


# What is written

PLAIN = st.text(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ", min_size=1, max_size=70
).filter(lambda text: text == " ".join(text.split()) and text)
WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=140)
IBANS = st.from_regex(r"[0-9]{8}", fullmatch=True).map(
    lambda digits: str(IBAN.generate("DE", bank_code="37040044", account_code="00" + digits))
)


def instructions(words: st.SearchStrategy) -> st.SearchStrategy:
    made = st.builds(
        one,
        payment_id=st.uuids().map(str),
        amount=st.integers(1, AMOUNT_MAX),
        iban=IBANS,
        bic=st.sampled_from([None, "COBADEFFXXX", "MARKDEFF"]),
        name=words,
        description=st.none() | words,
    )
    return st.lists(made, min_size=1, max_size=6, unique_by=lambda made: made.payment_id)


@given(instructions(PLAIN))
@thoroughly(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_is_valid_and_says_the_same_lines(
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
@thoroughly(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_words_the_money_goes_where_it_should(
    tmp_path_factory: pytest.TempPathFactory, schema: xmlschema.XMLSchema, lines: list[Payout]
) -> None:
    outbox = tmp_path_factory.mktemp("out")
    outcomes = SepaRail(outbox, outbox, DEBTOR).submit(lines)
    pending = [line for line in lines if outcomes[line.payment_id].answer is PayoutState.PENDING]
    assert [line for line in lines if plain(line.name, 70)] == pending
    for data in written(outbox):
        schema.validate(data.decode())
        transfers = read_pain001(data)["credit_transfers"]
        assert [(t["end_to_end_id"], t["amount"], t["counterparty_iban"]) for t in transfers] == [
            (key_of(line.payment_id), number(render(line.amount, 2)), line.iban) for line in pending
        ]


@pytest.mark.parametrize(
    ("words", "length", "written"),
    [
        ("Zoë & Søren <Ünal>", 70, "Zoe + Soren .Unal."),
        ("Лев Толстой", 70, "Lev Tolstoi"),
        ("a\u00a0 b", 70, "a b"),
        ("x" * 80, 70, "x" * 70),
        ("😀", 70, ""),
    ],
)
def test_words_as_every_bank_takes_them(words: str, length: int, written: str) -> None:
    assert plain(words, length) == written


def test_the_sum_of_the_lines(files: SepaRail, outbox: Path) -> None:
    files.submit([one(amount=1450), one(amount=66660)])
    assert written(outbox)[0].count(b"<CtrlSum>681.10</CtrlSum>") == 2


@pytest.mark.parametrize(
    ("reference", "kind"),
    [("RF18539007547034", "<Cd>SCOR</Cd>"), ("210000000003139471430009017", "<Prtry>QRR</Prtry>")],
)
def test_a_reference_of_the_creditor_stands_in_the_file(
    files: SepaRail, outbox: Path, schema: xmlschema.XMLSchema, reference: str, kind: str
) -> None:
    referred = one(description=None, creditor_reference=reference)
    files.submit([one(), referred])
    [data] = written(outbox)
    schema.validate(data.decode())
    assert kind.encode() in data
    lines = {line["end_to_end_id"]: line for line in read_pain001(data)["credit_transfers"]}
    assert lines[key_of(referred.payment_id)]["creditor_reference"] == reference
    assert sum("creditor_reference" in line for line in lines.values()) == 1


def test_without_a_bic_of_ours(outbox: Path, inbox: Path, schema: xmlschema.XMLSchema) -> None:
    SepaRail(outbox, inbox, DEBTOR._replace(bic=None)).submit([one()])
    [data] = written(outbox)
    schema.validate(data.decode())
    assert b"<Id>NOTPROVIDED</Id>" in data


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"currency": "USD"}, "EUR alone"),
        ({"amount": AMOUNT_MAX + 1}, "at most"),
        ({"iban": "SA0380000000608010167519"}, "outside SEPA"),
        ({"iban": "XX00"}, "outside SEPA"),
        ({"name": "😀"}, "Latin"),
        ({"bic": "nonsense"}, "pain.001"),
    ],
)
def test_what_sepa_does_not_pay_is_rejected_alone(
    files: SepaRail, outbox: Path, changes: dict[str, object], word: str
) -> None:
    good, bad = one(), one(**changes)
    outcomes = files.submit([bad, good])
    assert (outcomes[bad.payment_id].answer, outcomes[good.payment_id].answer) == (
        PayoutState.REJECTED,
        PayoutState.PENDING,
    )
    assert word in (outcomes[bad.payment_id].reason or "")
    assert told(outbox) == [key_of(good.payment_id)]
    assert answers(files.inquire([bad])) == {PayoutState.NOT_FOUND}


# Once


def test_the_same_again_writes_nothing_even_if_the_bank_has_the_file(files: SepaRail, outbox: Path) -> None:
    lines = [one() for _ in range(3)]
    assert answers(files.submit(lines)) == {PayoutState.PENDING}
    names = sorted(path.name for path in outbox.glob("*.xml"))
    assert answers(files.submit(lines[::-1])) == {PayoutState.PENDING}
    assert sorted(path.name for path in outbox.glob("*.xml")) == names
    (outbox / names[0]).unlink()
    assert answers(files.submit(lines)) == answers(files.inquire(lines)) == {PayoutState.PENDING}
    assert written(outbox) == []


def test_another_batch_with_some_of_them_writes_the_others(files: SepaRail, outbox: Path) -> None:
    first, second, third = one(), one(), one()
    files.submit([first, second])
    files.submit([second, third])
    assert told(outbox) == sorted(map(key_of, (first.payment_id, second.payment_id, third.payment_id)))


def test_a_message_is_named_by_its_payments(files: SepaRail, outbox: Path, tmp_path: Path) -> None:
    lines = [one(), one()]
    files.submit(lines)
    (tmp_path / "other").mkdir()
    SepaRail(tmp_path / "other", tmp_path, DEBTOR).submit(lines[::-1])
    [name] = {path.name for folder in (outbox, tmp_path / "other") for path in folder.glob("*.xml")}
    assert written(outbox)[0].count(f"Id>{name.removesuffix('.xml')}<".encode()) == 2


def test_what_was_never_told_is_not_found(files: SepaRail) -> None:
    assert answers(files.inquire([one()])) == {PayoutState.NOT_FOUND}


def test_while_another_process_writes_nothing_is_known(files: SepaRail, outbox: Path) -> None:
    files.inquire([one()])
    with (outbox / "staged" / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lines = [one(), one(currency="USD")]
        assert [outcome.answer for outcome in files.submit(lines).values()] == [
            PayoutState.REJECTED,
            PayoutState.UNKNOWN,
        ]
        assert answers(files.inquire(lines)) == {PayoutState.UNKNOWN}
    assert written(outbox) == []


def die_at(point: int, folder: Path) -> None:
    """Make the `point`-th step of this process in the folder its last: nothing is flushed, nothing is cleaned up."""
    left = [point]

    def step(event: str, arguments: tuple) -> None:
        if event in {"open", "os.link", "os.rename", "os.mkdir", "os.remove"} and str(folder) in str(arguments[0]):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)

    sys.addaudithook(step)


def died(act: object, point: int, folder: Path) -> bool:
    """Whether a child that does this died at that point; else it came to the end."""
    child = os.fork()
    if child == 0:
        die_at(point, folder)
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("is_taken", [False, True], ids=["left", "taken"])
def test_whenever_it_dies_each_payment_stands_in_one_file(tmp_path: Path, files: SepaRail, is_taken: bool) -> None:
    files.submit([one()])  # what is imported late is imported now, not in every child
    for point in range(POINTS_MAX):
        outbox = tmp_path / f"out{point}"
        outbox.mkdir()
        lines, bank = [one() for _ in range(3)], []

        def rail(outbox: Path = outbox) -> SepaRail:
            return SepaRail(outbox, tmp_path, DEBTOR)

        def take(outbox: Path = outbox, bank: list[str] = bank) -> None:
            if is_taken:
                bank += told(outbox)
                for path in outbox.glob("*.xml"):
                    path.unlink()

        has_died = died(lambda rail=rail, lines=lines: rail().submit(lines), point, outbox)
        take()
        died(lambda rail=rail, lines=lines: rail().inquire(lines), point % 5, outbox)  # and who cleans up may die, too
        take()
        asked = rail().inquire(lines)
        take()
        unknown = [line for line in lines if asked[line.payment_id].answer is PayoutState.NOT_FOUND]
        assert len(unknown) in (0, len(lines))
        if unknown:
            rail().submit([*unknown, one()])
        take()
        assert answers(rail().submit(lines)) == answers(rail().inquire(lines)) == {PayoutState.PENDING}
        take()
        keys = sorted(bank + told(outbox))
        assert len(keys) == len(set(keys))
        assert {key_of(line.payment_id) for line in lines} <= set(keys)
        assert list((outbox / "staged").glob("*.xml")) == []
        if not has_died:
            assert point > 8
            return
    raise AssertionError("it never came to its end")


def test_a_torn_file_is_written_again(files: SepaRail, outbox: Path) -> None:
    line = one()
    files.inquire([line])
    (outbox / "staged" / f"{'0' * 32}.xml").write_bytes(b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:200')
    assert answers(files.inquire([line])) == {PayoutState.NOT_FOUND}
    assert list((outbox / "staged").glob("*.xml")) == []
    assert answers(files.submit([line])) == {PayoutState.PENDING}


# What is read


def hear(files: SepaRail, position: str = "") -> tuple[list, str]:
    """All news from there on, each page committed."""
    items = []
    while True:
        page, after = files.news(position)
        items += page
        if after == position:
            return items, position
        position = after


def key() -> tuple[str, str]:
    id = str(uuid4())
    return id, key_of(id)


def test_a_report_on_transactions(files: SepaRail, inbox: Path) -> None:
    (paid, k1), (refused, k2), (accepted, k3) = key(), key(), key()
    rows = [status(k1, "ACSC"), status(k2, "RJCT", "AC04"), status(k3, "ACCP"), status("theirs", "ACSC")]
    (inbox / "a.xml").write_bytes(report(*rows))
    items, _ = hear(files)
    assert [(item.payment_id, item.outcome.answer, item.outcome.reason) for item in items] == [
        (paid, PayoutState.CONFIRMED, None),
        (refused, PayoutState.REJECTED, "AC04: Account closed"),
    ]
    assert accepted not in {item.payment_id for item in items}


@pytest.mark.parametrize("place", ["group", "block"])
def test_a_report_on_a_whole_message(files: SepaRail, outbox: Path, inbox: Path, place: str) -> None:
    lines = [one(), one(), one()]
    files.submit(lines)
    [message] = [path.stem for path in outbox.glob("*.xml")]
    (inbox / "a.xml").write_bytes(
        report(status(key_of(lines[0].payment_id), "ACSC"), message_id=message, **{place: "RJCT"})
    )
    items, _ = hear(files)
    assert {item.payment_id: item.outcome.answer for item in items} == {
        lines[0].payment_id: PayoutState.CONFIRMED,
        lines[1].payment_id: PayoutState.REJECTED,
        lines[2].payment_id: PayoutState.REJECTED,
    }
    assert len(items) == 3


@pytest.mark.parametrize("place", ["group", "block", "transaction"])
def test_a_message_that_the_bank_has_already_is_not_rejected(
    files: SepaRail, outbox: Path, inbox: Path, place: str
) -> None:
    line = one()
    files.submit([line])
    [message] = [path.stem for path in outbox.glob("*.xml")]
    if place == "transaction":
        data = report(status(key_of(line.payment_id), "RJCT", "AM05"), message_id=message)
    else:
        data = report(message_id=message, **{place: "RJCT"})
        twice = b"</GrpSts>" if place == "group" else b"</PmtInfSts>"
        data = data.replace(twice, twice + b"<StsRsnInf><Rsn><Cd>DU01</Cd></Rsn></StsRsnInf>")
    (inbox / "a.xml").write_bytes(data)
    assert hear(files)[0] == []
    assert [path.name[17:] for path in (inbox / "done").iterdir()] == ["a.xml"]


@pytest.mark.parametrize("message", ["0" * 32, "../../etc/passwd", ""])
def test_a_report_on_a_message_of_others_says_nothing(files: SepaRail, inbox: Path, message: str) -> None:
    (inbox / "a.xml").write_bytes(report(message_id=message, group="RJCT"))
    assert hear(files)[0] == []
    assert [path.name for path in (inbox / "done").iterdir()]


def test_a_statement_confirms_what_went_out_and_brings_what_came_back(files: SepaRail, inbox: Path) -> None:
    (paid, k1), (returned, k2), (other, k3) = key(), key(), key()
    entries = [
        entry("DBIT", "10.00", k1, "B1"),
        entry("CRDT", "9.5", k2, "B2", detail=RETURNED),
        entry("CRDT", "9.50", k3, "B3"),
        entry("CRDT", "7.00", k2, detail=RETURNED),
        entry("CRDT", "7.00", k2, "B4", detail=RETURNED, currency="USD"),
        entry("DBIT", "1.00", "theirs"),
        entry("DBIT", "1.00"),
    ]
    (inbox / "a.XML").write_bytes(camt(*entries))
    items, _ = hear(files)
    assert items == [
        BankUpdate(paid, items[0].outcome, 1000),
        Return("B2", returned, 950, "AC04"),
        Return(f"{k2} 2026-11-20 7", returned, 700, "AC04"),
    ]
    assert (items[0].outcome.answer, items[0].outcome.bank_reference) == (PayoutState.CONFIRMED, "B1")
    assert len(items[2].bank_id) <= 100
    assert other not in {item.payment_id for item in items}


def test_one_odd_entry_keeps_no_other_back(files: SepaRail, inbox: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ids = [key() for _ in range(2)]
    odd = [entry(amount="1e3"), entry(day="2026-02-30"), entry("CRDT", "1.005", key()[1], detail=RETURNED)]
    (inbox / "a.xml").write_bytes(camt(entry(key=ids[0][1]), *odd, entry(key=ids[1][1])))
    items, _ = hear(files)
    assert [item.payment_id for item in items] == [id for id, _ in ids]
    assert [path.name[17:] for path in (inbox / "done").iterdir()] == ["a.xml"]
    said = capfd.readouterr().out
    assert [f"/Stmt/1/Ntry/{n}" in said for n in range(1, 6)] == [False, True, True, True, False]


def test_ids_in_letters_of_any_size(files: SepaRail, inbox: Path) -> None:
    (paid, k1), (refused, k2) = key(), key()
    (inbox / "a.xml").write_bytes(camt(entry(key=k1.upper())))
    (inbox / "b.xml").write_bytes(report(status(k2.upper(), "RJCT", "AC04")))
    assert [item.payment_id for item in hear(files)[0]] == [paid, refused]


def test_parts_of_an_entry_are_news_of_each(files: SepaRail, inbox: Path) -> None:
    (first, k1), (second, k2), (third, k3) = key(), key(), key()
    refs = "<TxDtls><Refs><EndToEndId>{}</EndToEndId></Refs>{}</TxDtls>"
    told = [refs.format(k1, '<Amt Ccy="EUR">1500</Amt>'), refs.format(k2, ""), refs.format(k3, "")]
    batch = entry(amount="1526.00").replace("<TxDtls><Refs></Refs></TxDtls>", "".join(told))
    (inbox / "a.xml").write_bytes(camt(batch))
    assert [(item.payment_id, item.amount) for item in hear(files)[0]] == [
        (first, 150_000),
        (second, None),
        (third, None),
    ]


def test_a_file_is_put_away_when_all_of_it_is_committed(
    files: SepaRail, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sepa, "ITEMS_MAX", 2)
    ids = [key() for _ in range(3)]
    (inbox / "a.xml").write_bytes(camt(*(entry(key=k) for _, k in ids)))
    first, after_first = files.news("")
    assert files.news("") == (first, after_first), "read twice, it says the same"
    second, after_second = files.news(after_first)
    assert [item.payment_id for item in first + second] == [id for id, _ in ids]
    assert (inbox / "a.xml").exists(), "nobody has said that the second page is committed"
    assert files.news(after_second) == ([], after_second)
    assert [path.name[17:] for path in (inbox / "done").iterdir()] == ["a.xml"]
    assert files.news(after_second) == ([], after_second)


def test_another_file_under_the_same_name_is_another(files: SepaRail, inbox: Path) -> None:
    (first, k1), (second, k2) = key(), key()
    (inbox / "a.xml").write_bytes(camt(entry(key=k1)))
    items, position = files.news("")
    (inbox / "a.xml").write_bytes(camt(entry(key=k2)))
    more, _ = hear(files, position)
    assert [item.payment_id for item in items + more] == [first, second]


def test_a_file_that_comes_twice_is_harmless(files: SepaRail, inbox: Path) -> None:
    _, k1 = key()
    (inbox / "a.xml").write_bytes(camt(entry(key=k1)))
    _, position = hear(files)
    (inbox / "b.xml").write_bytes(camt(entry(key=k1)))
    assert hear(files, position) == ([], position)


@pytest.mark.parametrize("kind", [CAMT, REPORT])
@pytest.mark.parametrize("name", STRANGE)
def test_a_broken_file_harms_no_other(files: SepaRail, inbox: Path, name: str, kind: str) -> None:
    id, k1 = key()
    (inbox / "a.xml").write_bytes(strange(name, kind))
    (inbox / "b.xml").write_bytes(camt(entry(key=k1)))
    items, _ = hear(files)
    assert [item.payment_id for item in items] == [id]
    assert [path.name[17:] for path in (inbox / "broken").iterdir()] == ["a.xml"]
    assert [path.name[17:] for path in (inbox / "done").iterdir()] == ["b.xml"]


def test_what_else_is_broken(files: SepaRail, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sepa_exchange_folders, "FILE_BYTES_MAX", 2_000)
    _, k1 = key()
    (inbox / "large.xml").write_bytes(camt(entry(key=k1)) + b" " * 2_000)
    (inbox / "order.xml").write_bytes(camt(entry(key=k1)).replace(CAMT.encode(), b"pain.001.001.09"))
    (inbox / "precise.xml").write_bytes(camt(entry("CRDT", "1.005", k1, detail=RETURNED)))
    assert hear(files)[0] == []
    assert sorted(path.name[17:] for path in (inbox / "broken").iterdir()) == ["large.xml", "order.xml", "precise.xml"]


def test_what_is_no_file_of_a_bank_stays(files: SepaRail, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (inbox / "link.xml").symlink_to(tmp_path / "secret")
    (inbox / "folder.xml").mkdir()
    (inbox / "half.xml.part").write_bytes(b"<")
    assert hear(files) == ([], "")
    assert sorted(path.name for path in inbox.iterdir()) == ["folder.xml", "half.xml.part", "link.xml"]


def test_without_its_folder_there_are_no_news(outbox: Path, tmp_path: Path) -> None:
    with pytest.raises(RailAway):
        SepaRail(outbox, tmp_path / "nowhere", DEBTOR).news("")


# Opened by settings


def opened(outbox: Path, inbox: Path, **changes: str) -> Rail:
    folders = {"rail_outbox": str(outbox), "rail_inbox": str(inbox)}
    account = {"rail_sepa_name": "Payments GmbH", "rail_sepa_iban": "DE89 3704 0044 0532 0130 00", "rail_sepa_bic": ""}
    return open_rail(replace(configuration.load(), rail="sepa", **{**folders, **account, **changes}))


@pytest.mark.parametrize("bic", ["", "COBADEFFXXX"])
def test_the_rail_of_the_settings(outbox: Path, inbox: Path, bic: str) -> None:
    rail = opened(outbox, inbox, rail_sepa_bic=bic)
    assert answers(rail.submit([one()])) == {PayoutState.PENDING}
    body = read_pain001(written(outbox)[0])
    assert (body["organization_iban"], body.get("organization_bic", "")) == ("DE89370400440532013000", bic)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"rail_outbox": ""}, "RAIL_OUTBOX"),
        ({"rail_inbox": ""}, "RAIL_INBOX"),
        ({"rail_inbox": "/nowhere"}, "RAIL_INBOX"),
        ({"rail_sepa_name": ""}, "RAIL_SEPA_NAME"),
        ({"rail_sepa_iban": ""}, "RAIL_SEPA_IBAN"),
        ({"rail_sepa_iban": "DE00370400440532013000"}, "RAIL_SEPA_IBAN"),
        ({"rail_sepa_bic": "x"}, "RAIL_SEPA_BIC"),
    ],
)
def test_settings_that_are_no_rail(outbox: Path, inbox: Path, changes: dict[str, str], word: str) -> None:
    with pytest.raises(RailError, match=word):
        opened(outbox, inbox, **changes)


# With the books


@pytest.fixture
def by_files(desk_at, files: SepaRail) -> Iterator[Desk]:
    """A desk that tells its bank by files."""
    return desk_at(files)


def test_what_was_booked_with_another_amount_is_no_confirmation(by_files: Desk, inbox: Path) -> None:
    [id] = by_files.hold(1450)
    by_files.instructor.drain()
    (inbox / "1.xml").write_bytes(camt(entry(amount="0.35", key=key_of(id), number="fee")))
    by_files.instructor.drain()
    assert by_files.row(id, "answer") == (None,)
    (inbox / "2.xml").write_bytes(camt(entry(amount="14.5", key=key_of(id))))
    by_files.instructor.drain()
    by_files.post()
    assert by_files.state(id) == "COMPLETED"


@pytest.mark.parametrize("number", ["NONREF", "1", "9" * 140, chr(0x200B)])
def test_returns_whose_numbers_say_nothing_are_each_given_back(by_files: Desk, inbox: Path, number: str) -> None:
    ids = by_files.hold(1450, 1450)
    by_files.instructor.drain()
    for day, id in enumerate(ids):
        back = entry("CRDT", "14.50", key_of(id), number, detail=RETURNED)
        (inbox / f"{day}.xml").write_bytes(camt(entry(amount="14.50", key=key_of(id)), back))
    for _ in range(2):
        by_files.instructor.drain()
        by_files.post()
    assert by_files.books.balance(by_files.wallet) == 1_000_000_00


def test_a_folder_that_forgot_what_was_told_is_not_filled_again(by_files: Desk, outbox: Path, tmp_path: Path) -> None:
    [id] = by_files.hold(1450)
    by_files.instructor.drain()
    outbox.rename(tmp_path / "unmounted")
    outbox.mkdir()
    by_files.hasten()
    by_files.instructor.drain()
    assert (by_files.state(id), told(outbox)) == ("parked", [])
    by_files.retry(id)
    by_files.instructor.drain()
    by_files.instructor.drain()
    assert told(outbox) == [key_of(id)], "a person has found out that the bank never had it"


def test_a_withdrawal_goes_out_by_file_and_comes_back(by_files: Desk, outbox: Path, inbox: Path) -> None:
    paid, refused = by_files.hold(1450, 66660)
    by_files.instructor.drain()
    assert {UUID(key) for key in told(outbox)} == {UUID(paid), UUID(refused)}
    (inbox / "1.xml").write_bytes(report(status(key_of(refused), "RJCT", "AC04")))
    (inbox / "2.xml").write_bytes(camt(entry(amount="14.50", key=key_of(paid), number="B1")))
    by_files.instructor.drain()
    by_files.post()
    assert (by_files.state(paid), by_files.state(refused)) == ("COMPLETED", "rejected_by_bank")
    assert by_files.row(refused, "reason") == ("AC04: Account closed",)
    back = camt(entry("CRDT", "14.50", key_of(paid), "B2", detail=RETURNED))
    for name in ("3.xml", "4.xml"):
        (inbox / name).write_bytes(back + b"\n" * int(name[0]))
    by_files.instructor.drain()
    by_files.instructor.drain()
    by_files.post()
    with by_files.books.as_owner() as connection:
        returns = connection.exec_driver_sql("SELECT state, amount FROM payments WHERE type = 'return'").all()
    assert [tuple(row) for row in returns] == [("COMPLETED", 1450)]
    by_files.hasten()
    by_files.instructor.drain()
    assert len(told(outbox)) == 2
