"""Text in the characters that every SEPA bank accepts: a to z, A to Z, digits, / - ? : ( ) . , ' + and the space."""

import re

from models.rules.blanks import fold_blanks

_UNSUPPORTED = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]", re.ASCII)

_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
"""Umlauts as German, Austrian and Swiss customers transcribe them; Unicode's tables only drop the dots."""


def plain(text: str, length_max: int) -> str:
    """The text in SEPA characters: é as e, & as +, others as a full stop."""
    from text_unidecode import unidecode  # noqa: PLC0415 - megabytes of tables that few processes need

    latin = _UNSUPPORTED.sub(".", unidecode(text).replace("&", "+"))
    return " ".join(latin[:length_max].split())


def is_same_name(name: str, other: str, length_max: int) -> bool:
    """Whether two names differ at most in blanks, case, and their transcription to SEPA characters."""
    return _folded(name) == _folded(other) or not _spellings(name, length_max).isdisjoint(_spellings(other, length_max))


def _spellings(name: str, length_max: int) -> set[str]:
    return {_folded(plain(text, length_max)) for text in (name, name.translate(_GERMAN))} - {""}


def _folded(name: str) -> str:
    return fold_blanks(name).casefold()
