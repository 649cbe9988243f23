"""The countries of SEPA: the table of the product, compared with the library that checks IBANs."""

from contextlib import suppress
from itertools import product
from string import ascii_uppercase

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from models.rules.sepa import SEPA, is_in_sepa

LACKING = {"AL", "MD", "ME", "MK", "RS"}
"""Admitted in 2024 and 2025, and not in SEPA by schwifty: once it knows them, the table can be removed."""

TERRITORIES = {"AX", "BL", "GF", "GG", "GP", "IM", "JE", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"}
"""Of Finland, France and Great Britain: their IBANs begin with the country's code, so the table does not need them."""


def test_countries_are_those_of_the_library_and_newer_members() -> None:
    of_library = set()
    for country in map("".join, product(ascii_uppercase, repeat=2)):
        with suppress(SchwiftyException):
            of_library |= {country} if IBAN(country, allow_invalid=True).in_sepa_zone else set()
    assert (SEPA - of_library, of_library - SEPA) == (LACKING, TERRITORIES)
    assert len(SEPA - {"GI"}) == 41


def test_sepa_membership_follows_from_the_iban() -> None:
    assert is_in_sepa("RS35260005601001611379")
    assert not any(map(is_in_sepa, ("SA0380000000608010167519", "XK051212012345678906", "XX00", "")))
