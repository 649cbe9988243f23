"""Where a bank is to pay: IBAN and BIC, each checked by itself and against the other."""

from functools import cache
from typing import Any

import marshmallow as ma
from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException

from gateway.errors import Flaw
from gateway.fields import Strict
from models.rules.creditor_reference import kind_of

TEXT_LENGTH_MAX = 50
"""The longest IBAN has 34 characters, written in groups of four 42."""

_COUNTRY = slice(4, 6)
"""Where a BIC names its country; an IBAN begins with it."""

_TERRITORIES = {
    "FR": frozenset(["BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"]),
    "GB": frozenset(["GG", "IM", "JE"]),
}
"""Countries of BICs whose banks write IBANs of another."""


class Iban(Strict):
    """An IBAN whose checksum fits, with or without spaces; read in its compact form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": TEXT_LENGTH_MAX, "example": "DE89370400440532013000"}, **kwargs)

    def read(self, text: str) -> str:
        try:
            if len(text) <= TEXT_LENGTH_MAX and text.isascii():
                return str(IBAN(text))
        except SchwiftyException:
            pass
        raise self.refuse("iban_invalid", "This is no IBAN, or its checksum does not fit.")


class Bic(Strict):
    """A BIC of 8 or 11 characters; that a bank has it is not asked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": TEXT_LENGTH_MAX, "example": "COBADEFFXXX"}, **kwargs)

    def read(self, text: str) -> str:
        try:
            if len(text) <= TEXT_LENGTH_MAX and text.isascii():
                return str(BIC(text))
        except SchwiftyException:
            pass
        raise self.refuse("bic_invalid", "This is no BIC.")


class CreditorReference(Strict):
    """A structured reference whose check digits fit, ISO 11649 or that of a QR-bill; read in its compact form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": TEXT_LENGTH_MAX, "example": "RF18539007547034"}, **kwargs)

    def read(self, text: str) -> str:
        reference = "".join(text[: TEXT_LENGTH_MAX + 1].split()).upper()
        if len(text) > TEXT_LENGTH_MAX or kind_of(reference) is None:
            detail = "This is no creditor reference (RF, or of a QR-bill), or its check digits do not fit."
            raise self.refuse("creditor_reference_invalid", detail)
        return reference


def refuse_mismatch(iban: str, bic: str | None, member: str = "bic") -> None:
    """Refuse a BIC of another country than the IBAN's, and none for an IBAN outside SEPA; `member` is the BIC's."""
    if bic is None and not _is_in_sepa(iban[:2]):
        raise ma.ValidationError({member: [Flaw("bic_required", "Outside SEPA a BIC is required.")]})
    if bic is not None and bic[_COUNTRY] not in {iban[:2], *_TERRITORIES.get(iban[:2], ())}:
        raise ma.ValidationError({member: [Flaw("bic_mismatch", "BIC and IBAN name different countries.")]})


@cache
def _is_in_sepa(country: str) -> bool:
    return IBAN(country, allow_invalid=True).in_sepa_zone
