"""Fields for personal data and credentials; errors have a published code and never repeat the value."""

import re
import unicodedata
from typing import Any
from urllib.parse import urlsplit

import marshmallow as ma
import phonenumbers

from gateway.auth.scopes import GRANTABLE_SCOPES, SCOPES
from gateway.http.errors import FieldError, invalid
from gateway.http.fields import StrictField, Text
from models import token
from models.second_factor import RECOVERY_ALPHABET, RECOVERY_CODE_LENGTH, plain_code

PHONE_NUMBER_LENGTH_MAX = 32
"""As written, with spaces and brackets."""
PHONE_NUMBER_DIGITS_MAX = 15
"""The maximum of E.164; the column has the same limit."""
PHONE_NUMBER_DIGITS_SHORT = 9
"""A shorter number must also be in an assigned range: it may be a longer one with digits missing."""
URL_LENGTH_MAX = 200

PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 128
PASSWORD_CHARACTERS_MIN = 5
"""Distinct characters."""
LOCAL_PART_LENGTH_MIN = 4
"""A shorter local part occurs in good passwords by chance."""

KNOWN_SCOPES = frozenset().union(*SCOPES.values()) | GRANTABLE_SCOPES

CODE_DIGITS = 6
CODE_LENGTH_MAX = 32
"""As written, with hyphens and spaces."""

_ONE_TIME_PASSWORD = re.compile(f"[0-9]{{{CODE_DIGITS}}}", re.ASCII)
_RECOVERY_CODE = re.compile(f"[{RECOVERY_ALPHABET}]{{{RECOVERY_CODE_LENGTH}}}", re.ASCII)
_PHONE_NUMBER = re.compile(r"\+[0-9 ()./-]+", re.ASCII)


class PhoneNumber(StrictField):
    """A phone number in international format, returned as E.164.

    Only its length is checked against its country: assigned ranges change faster than any table of them.
    """

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": f"^{_PHONE_NUMBER.pattern}$", "maxLength": PHONE_NUMBER_LENGTH_MAX}
        super().__init__(metadata={**metadata, "example": "+49 30 1234567"}, **kwargs)

    def read(self, text: str) -> str:
        if len(text) <= PHONE_NUMBER_LENGTH_MAX and _PHONE_NUMBER.fullmatch(text):
            try:
                number = phonenumbers.parse(text)
            except phonenumbers.NumberParseException:
                pass
            else:
                formatted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                reason = phonenumbers.is_possible_number_with_reason(number)
                digits = len(formatted) - len("+")
                is_complete = digits >= PHONE_NUMBER_DIGITS_SHORT or phonenumbers.is_valid_number(number)
                is_possible = reason == phonenumbers.ValidationResult.IS_POSSIBLE
                if is_possible and is_complete and digits <= PHONE_NUMBER_DIGITS_MAX:
                    return formatted
        raise self.refuse("phone_number_invalid", "Must have + and the country code, such as +49 30 1234567.")


class Url(Text):
    """An absolute http or https URL without a user name."""

    is_absolute = ma.validate.URL(schemes={"http", "https"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(URL_LENGTH_MAX, **kwargs)
        self.metadata = {**self.metadata, "format": "uri"}

    def read(self, text: str) -> str:
        url = super().read(text)
        try:
            self.is_absolute(url)
            parts = urlsplit(url)
            if parts.username is None and parts.port != 0:  # a port too high raises
                return url
        except ValueError:
            pass
        raise self.refuse("invalid_value", "Must be an absolute http or https URL without a user name.")


class Password(Text):
    """An existing password: NFC, with spaces at its ends kept."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(PASSWORD_LENGTH_MAX, **kwargs)
        self.metadata = {**self.metadata, "format": "password"}

    def read(self, text: str) -> str:
        if len(unicodedata.normalize("NFC", text)) > PASSWORD_LENGTH_MAX:
            raise self.refuse("password_too_long", f"At most {PASSWORD_LENGTH_MAX} characters.")
        return super().read(text)


class NewPassword(Password):
    """A password to be set; `refuse_weak` compares it with the e-mail address."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {**self.metadata, "minLength": PASSWORD_LENGTH_MIN}

    def read(self, text: str) -> str:
        password = super().read(text)
        if len(password) < PASSWORD_LENGTH_MIN:
            raise self.refuse("password_too_short", f"At least {PASSWORD_LENGTH_MIN} characters.")
        if len(set(password)) < PASSWORD_CHARACTERS_MIN:
            raise self.refuse("password_too_weak", f"At least {PASSWORD_CHARACTERS_MIN} different characters.")
        return password


def refuse_weak(password: str, email: str) -> None:
    """Refuse a new password that is easy to guess from the e-mail address; raises ApiError."""
    guess, address = password.casefold(), email.casefold()
    local_part = address.rpartition("@")[0]
    if address in guess or (len(local_part) >= LOCAL_PART_LENGTH_MIN and local_part in guess):
        raise invalid([("/password", "password_too_weak", "Must not contain the e-mail address.")])


class ConfirmationToken(StrictField):
    """The token from an e-mail; the error is the same whatever is wrong with it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"maxLength": token.LENGTH, "pattern": token.PATTERN_OF_CONFIRMATION}, **kwargs)

    def read(self, text: str) -> str:
        if not token.is_well_formed(text, token.CONFIRMATION_PREFIX):
            raise ma.ValidationError([CONFIRMATION_INVALID])
        return text


class SecondFactorCode(StrictField):
    """A one-time password of six digits, or a recovery code; hyphens, blanks and case do not matter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"minLength": CODE_DIGITS, "maxLength": CODE_LENGTH_MAX}, **kwargs)

    def read(self, text: str) -> str:
        if len(text) <= CODE_LENGTH_MAX:
            code = plain_code(text)
            if _ONE_TIME_PASSWORD.fullmatch(code) or _RECOVERY_CODE.fullmatch(code):
                return code
        raise self.refuse("invalid_value", "Must be six digits, or a recovery code.")


CONFIRMATION_INVALID = FieldError("confirmation_invalid", "The token is unknown, expired or used.")


class Scopes(ma.fields.Field):
    """A list of known scopes, without duplicates."""

    make_error = StrictField.make_error

    def __init__(self, **kwargs: Any) -> None:
        items = {"type": "string", "enum": sorted(KNOWN_SCOPES)}
        super().__init__(metadata={"type": "array", "items": items, "uniqueItems": True, "minItems": 1}, **kwargs)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[str]:
        if type(value) is not list or not all(type(scope) is str for scope in value):
            raise ma.ValidationError([FieldError("invalid_type", "Must be a list of scopes.")])
        if not value or len(set(value)) != len(value) or not KNOWN_SCOPES.issuperset(value):
            raise ma.ValidationError([FieldError("invalid_value", "Must be known scopes, each once and at least one.")])
        return sorted(value)
