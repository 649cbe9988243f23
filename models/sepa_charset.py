"""Words in the letters that every bank of SEPA takes: a to z, A to Z, digits, / - ? : ( ) . , ' + and the space."""

import re

from models.rules.blanks import fold_blanks

_STRANGE = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]", re.ASCII)

_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
"""As German, Austrian and Swiss customers write them; the tables of Unicode know the letter without its dots."""


def plain(words: str, length_max: int) -> str:
    """The words in letters of SEPA: é as e, & as +, others as a full stop."""
    from text_unidecode import unidecode  # noqa: PLC0415 - megabytes of tables, of which few processes have any use

    latin = _STRANGE.sub(".", unidecode(words).replace("&", "+"))
    return " ".join(latin[:length_max].split())


def is_same_name(one: str, other: str, length_max: int) -> bool:
    """Whether two names differ at most in blanks, in case, and in how they are written in letters of SEPA."""
    return _folded(one) == _folded(other) or not _spellings(one, length_max).isdisjoint(_spellings(other, length_max))


def _spellings(name: str, length_max: int) -> set[str]:
    return {_folded(plain(text, length_max)) for text in (name, name.translate(_GERMAN))} - {""}


def _folded(name: str) -> str:
    return fold_blanks(name).casefold()
