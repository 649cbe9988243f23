"""Free texts that people write: which are accepted, and the form in which they are stored."""

import unicodedata

from models.rules.blanks import has_controls, is_blank


class TextError(ValueError):
    """Raised for a text that is not accepted, with the code of the API and a sentence for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def free_text(text: str, length_max: int) -> str:
    """The text in NFC, with at most `length_max` characters; raises TextError."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if len(text) > length_max:
        raise TextError("text_too_long", f"At most {length_max} characters.")
    if has_controls(text):
        raise TextError("text_invalid", "Control characters are not allowed.")
    if is_blank(text):
        raise TextError("invalid_value", "Must not be empty.")
    return text
