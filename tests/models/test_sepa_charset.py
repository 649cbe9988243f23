"""Names in letters of SEPA: the same if a bank writes them otherwise, and no other name."""

import pytest

from models.sepa_charset import is_same_name

LENGTH = 70


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ACME Corp", "acme  CORP"),
        ("Bücher & Söhne GmbH", "Bucher + Sohne GmbH"),
        ("Bücher & Söhne GmbH", "BUECHER + SOEHNE GMBH"),
        ("Société Générale", "Societe Generale"),
        ("Łódź Sp. z o.o.", "Lodz Sp. z o.o."),
        ("Лев", "Lev"),
        ("é" * 80, "e" * 70),
    ],
)
def test_equivalent_names_are_the_same(name: str, other: str) -> None:
    assert is_same_name(name, other, LENGTH)
    assert is_same_name(other, name, LENGTH)


@pytest.mark.parametrize(("name", "other"), [("ACME Corp", "ACME Corp."), ("Muller", "Mueller"), ("😀", "😁")])
def test_different_names_are_not_the_same(name: str, other: str) -> None:
    assert not is_same_name(name, other, LENGTH)
