"""Normal form of texts that people copy and paste: references, bank ids, e-mail addresses."""

import re
import unicodedata

_BLANKS = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
"""Unicode white space, line breaks and no-break spaces included; other control characters are not blank."""

_WITHOUT_WIDTH = dict.fromkeys((0xAD, 0x180E, 0x200B, 0x2060, 0xFEFF))
"""Characters that only mark where a line may break: soft hyphen, zero-width spaces, byte order mark."""


_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Fillers of Hangul and the empty Braille pattern: letters and symbols by category, but invisible."""

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs"))
"""Categories of controls, combining marks and blanks."""


_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Control characters, bidirectional controls, line separators and lone surrogates."""


def has_controls(text: str) -> bool:
    """Whether the text has control characters, which a terminal or browser would act on instead of showing."""
    return _CONTROLS.search(text) is not None


def is_blank(text: str) -> bool:
    """Whether nothing in the text is visible: blanks, fillers, controls, and marks without a letter."""
    if text.isascii():
        return not text.strip()
    return all(character in _INVISIBLE or unicodedata.category(character) in _UNSEEN for character in text)


def fold_blanks(text: str) -> str:
    """The text in NFC, trimmed, with one space per run of blanks and without zero-width characters.

    Texts that differ only in blanks become equal; folding is idempotent.
    """
    return unicodedata.normalize("NFC", _BLANKS.sub(" ", text.translate(_WITHOUT_WIDTH)).strip(" "))
