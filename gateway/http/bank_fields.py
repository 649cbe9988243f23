"""Where a bank is to pay: IBAN and BIC, each checked by itself and against the other."""

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
"""Where a BIC names its country; an IBAN begins with it."""

_TERRITORIES = {
    "FR": frozenset(["BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "TF", "WF", "YT"]),
    "GB": frozenset(["GG", "IM", "JE"]),
}
"""Countries of BICs whose banks write IBANs of another."""

_UNLISTED = frozenset(["XK"])
"""Countries of BICs that ISO 3166 has assigned no code: Kosovo, whose banks are registered under this one."""

_DASHES_AND_BLANKS = re.compile("[ \u2010-\u2015\u2212\ufe58\ufe63\uff0d-]")
"""What stands between the groups of what is pasted, once its blanks are folded."""


class Iban(StrictField):
    """An IBAN whose checksum fits, with or without blanks and dashes; read in its compact form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": TEXT_LENGTH_MAX, "example": "DE89370400440532013000"}, **kwargs)

    def read(self, text: str) -> str:
        try:
            compact = _compact(text)
            if compact.isascii():
                return str(IBAN(compact))
        except SchwiftyException:
            pass
        raise self.refuse("iban_invalid", "This is no IBAN, or its checksum does not fit.")


class Bic(StrictField):
    """A BIC of 8 or 11 characters; that a bank has it is not asked."""

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
        raise self.refuse("bic_invalid", "This is no BIC.")


class CreditorReference(StrictField):
    """A structured reference whose check digits fit, ISO 11649 or that of a QR-bill; read in its compact form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": TEXT_LENGTH_MAX, "example": "RF18539007547034"}, **kwargs)

    def read(self, text: str) -> str:
        reference = _compact(text).upper()
        if kind_of(reference) is None:
            detail = "This is no creditor reference (RF, or of a QR-bill), or its check digits do not fit."
            raise self.refuse("creditor_reference_invalid", detail)
        return reference


def _compact(text: str) -> str:
    """The text without blanks and dashes; nothing, if it is longer than what is asked for."""
    return _DASHES_AND_BLANKS.sub("", fold_blanks(text)) if len(text) <= TEXT_LENGTH_MAX else ""


def refuse_mismatch(iban: str, bic: str | None, member: str = "bic") -> None:
    """Refuse a BIC of another country than the IBAN's, and none for an IBAN outside SEPA; `member` is the BIC's."""
    if bic is None and not is_in_sepa(iban):
        raise ma.ValidationError({member: [FieldError("bic_required", "Outside SEPA a BIC is required.")]})
    if bic is not None and bic[_COUNTRY] not in {iban[:2], *_TERRITORIES.get(iban[:2], ())}:
        raise ma.ValidationError({member: [FieldError("bic_mismatch", "BIC and IBAN name different countries.")]})
