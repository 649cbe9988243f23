"""IBANs and BICs as the fake reads them: check digits, and that both are of one country."""

from __future__ import annotations

import re
import string

from payments_client.testing.problems import Refused

SEPA = frozenset(
    {
        *(
            "AD",
            "AL",
            "AT",
            "BE",
            "BG",
            "CH",
            "CY",
            "CZ",
            "DE",
            "DK",
            "EE",
            "ES",
            "FI",
            "FR",
            "GB",
            "GI",
            "GR",
            "HR",
            "HU",
            "IE",
            "IS",
        ),
        *(
            "IT",
            "LI",
            "LT",
            "LU",
            "LV",
            "MC",
            "MD",
            "ME",
            "MK",
            "MT",
            "NL",
            "NO",
            "PL",
            "PT",
            "RO",
            "RS",
            "SE",
            "SI",
            "SK",
            "SM",
            "VA",
        ),
    }
)
"""Countries to which a payout needs no BIC."""

IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")


def checked_iban(text: str, pointer: str) -> str:
    """The IBAN without blanks and dashes; raises Refused."""
    compact = re.sub(r"[\s-]", "", text).upper()
    turned = compact[4:] + compact[:4]
    letters = "".join(str(string.ascii_uppercase.find(one) + 10) if one.isalpha() else one for one in turned)
    if not IBAN.fullmatch(compact) or int(letters) % 97 != 1:
        raise Refused(422, "iban_invalid", pointer)
    return compact


def refuse_mismatch(iban: str, bic: str | None, pointer: str) -> None:
    """Refuse a BIC that is none, is of another country, or is missing outside of SEPA."""
    if bic is None and iban[:2] not in SEPA:
        raise Refused(422, "bic_required", pointer)
    if bic is not None and not BIC.fullmatch(bic):
        raise Refused(422, "bic_invalid", pointer)
    if bic is not None and bic[4:6] != iban[:2]:
        raise Refused(422, "bic_mismatch", pointer)
