"""Structured creditor references with check digits: ISO 11649 (RF) and the Swiss QR-bill."""

import re

_RF = re.compile(r"RF\d\d[A-Z0-9]{1,21}", re.ASCII)
_QRR = re.compile(r"\d{27}", re.ASCII)
_CARRIES = (0, 9, 4, 6, 8, 2, 7, 1, 3, 5)
"""Modulo 10, recursive: the Swiss Implementation Guidelines for the QR-bill, annex B."""


def kind_of(reference: str) -> str | None:
    """SCOR for a reference of ISO 11649, QRR for one of a QR-bill, as ISO 20022 calls them; None for any other text."""
    if _RF.fullmatch(reference):
        digits = "".join(str(int(character, 36)) for character in reference[4:] + reference[:4])
        return "SCOR" if int(digits) % 97 == 1 else None
    if _QRR.fullmatch(reference):
        carry = 0
        for digit in reference[:-1]:
            carry = _CARRIES[(carry + int(digit)) % 10]
        return "QRR" if (10 - carry) % 10 == int(reference[-1]) else None
    return None
