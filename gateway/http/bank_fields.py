"""IBAN, BIC and creditor reference; IBAN and BIC are checked each alone and against each other."""

import re
from typing import Any

import marshmallow as ma
from schwifty import BIC, IBAN
from schwifty.exceptions import InvalidCountryCode, SchwiftyException

from gateway.http.errors import FieldError
from gateway.http.fields import StrictField
from models.rules.blanks import fold_blanks
from models.rules.creditor_reference import kind_of
from models.rules.sepa import is_in_sepa

TEXT_LENGTH_MAX = 50
"""The longest IBAN has 34 characters, written in groups of four 42."""

_COUNTRY = slice(4, 6)
"""The position of the country code in a BIC; an IBAN begins with it."""

_TERRITORIES = {
    "FR": frozenset(["BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"]),
    "GB": frozenset(["GG", "IM", "JE"]),
}
"""By the country of an IBAN, the territories whose BICs have a country code of their own."""

_UNLISTED = frozenset(["XK"])
"""BIC country codes that ISO 3166 does not assign: Kosovo, whose banks are registered under XK."""

_DASHES_AND_BLANKS = re.compile("[ \u2010-\u2015\u2212\ufe58\ufe63\uff0d-]")
"""Separators between the groups of a pasted number, once its blanks are folded."""


class Iban(StrictField):
    """An IBAN with a valid checksum, with or without blanks and dashes; read in its compact form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": TEXT_LENGTH_MAX, "example": "DE89370400440532013000"}, **kwargs)

    def read(self, text: str) -> str:
        try:
            compact = _compact(text)
            if compact.isascii():
                return str(IBAN(compact))
        except SchwiftyException:
            pass
        raise self.refuse("iban_invalid", "This is not an IBAN, or its checksum is wrong.")


class Bic(StrictField):
    """A BIC of 8 or 11 characters; whether a bank uses it is not checked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": TEXT_LENGTH_MAX, "example": "COBADEFFXXX"}, **kwargs)

    def read(self, text: str) -> str:
        compact = _compact(text)
        try:
            if compact.isascii():
                return str(BIC(compact))
        except InvalidCountryCode:  # of a BIC that is well-formed otherwise
            if compact[_COUNTRY].upper() in _UNLISTED:
                return compact.upper()
        except SchwiftyException:
            pass
        raise self.refuse("bic_invalid", "This is not a BIC.")


class CreditorReference(StrictField):
    """A structured reference with valid check digits, ISO 11649 or of a QR-bill; read in its compact form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": TEXT_LENGTH_MAX, "example": "RF18539007547034"}, **kwargs)

    def read(self, text: str) -> str:
        reference = _compact(text).upper()
        if kind_of(reference) is None:
            detail = "This is not a creditor reference (RF, or of a QR-bill), or its check digits are wrong."
            raise self.refuse("creditor_reference_invalid", detail)
        return reference


def _compact(text: str) -> str:
    """The text without blanks and dashes; empty if it is longer than TEXT_LENGTH_MAX."""
    return _DASHES_AND_BLANKS.sub("", fold_blanks(text)) if len(text) <= TEXT_LENGTH_MAX else ""


def refuse_mismatch(iban: str, bic: str | None, member: str = "bic") -> None:
    """Refuse a BIC of another country than the IBAN's, or a missing BIC outside SEPA; `member` is the name of the BIC's
    member.
    """
    if bic is None and not is_in_sepa(iban):
        raise ma.ValidationError({member: [FieldError("bic_required", "Outside SEPA a BIC is required.")]})
    if bic is not None and bic[_COUNTRY] not in {iban[:2], *_TERRITORIES.get(iban[:2], ())}:
        raise ma.ValidationError({member: [FieldError("bic_mismatch", "BIC and IBAN belong to different countries.")]})
