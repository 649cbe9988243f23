"""The messages of banks: what is not even opened, and numbers as XML writes them."""

import pytest

from models import iso20022
from models.camt053 import STATEMENTS
from models.iso20022 import InvalidFile, document, number
from tests.iso20022_messages import CAMT, STRANGE, message, strange


@pytest.mark.parametrize("name", STRANGE)
def test_invalid_document_is_refused(name: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        document(strange(name, CAMT), STATEMENTS)
    assert "root:" not in str(caught.value)


@pytest.mark.parametrize("kind", ["camt.052.001.08", "camt.053.001.8", "camt.053.001.081", "pain.001.001.09"])
def test_other_message_type_is_refused(kind: str) -> None:
    with pytest.raises(InvalidFile):
        document(message(kind, "<BkToCstmrStmt/>"), STATEMENTS)


def test_elements_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iso20022, "ELEMENTS_MAX", 3)
    document(message(CAMT, "<a/><a/>"), STATEMENTS)
    with pytest.raises(InvalidFile):
        document(message(CAMT, "<a/><a/><a/>"), STATEMENTS)


@pytest.mark.parametrize(
    ("written", "shortest"),
    [("1", "1"), ("01.00", "1"), ("+1.50", "1.5"), (".5", "0.5"), ("7.", "7"), ("0.00", "0"), ("1" * 18, "1" * 18)],
)
def test_xml_numbers_are_read(written: str, shortest: str) -> None:
    assert number(written) == shortest


@pytest.mark.parametrize("written", ["", ".", "+", "-1", "1e3", "1,0", "NaN", "1" * 19, "0.000001", "\u0661"])
def test_invalid_number_is_refused(written: str) -> None:
    assert number(written) is None
