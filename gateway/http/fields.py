"""Fields of requests; each rejects an invalid value with a published code."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import marshmallow as ma

from gateway.http.errors import FieldError
from gateway.http.parsing import NOT_AN_OBJECT, UNKNOWN_FIELD
from models.rules.blanks import fold_blanks
from models.rules.calendar import YEAR_MAX, YEAR_MIN
from models.rules.text import TextError, free_text
from models.user import EMAIL_LENGTH_MAX, normal_email

LIST_ITEMS_MAX = 20
"""More values than any comma list needs."""

METADATA_MEMBERS_MAX = 20
METADATA_NAME_LENGTH_MAX = 40
METADATA_TEXT_LENGTH_MAX = 500

_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,11}", re.ASCII)
_WALLET = re.compile(r"wal_[A-Za-z0-9_-]{22,64}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_TIME = re.compile(  # digits beyond microseconds are in no group
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:(?<=\.\d{6})\d{1,3})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)

STANDARD = {
    "required": FieldError("required", "This member is required."),
    "null": FieldError("null_not_allowed", "This member must not be null."),
    "validator_failed": FieldError("invalid_value", "This value is not allowed."),
}


class Input(ma.Schema):
    """A body or query; unknown members are rejected, never ignored."""

    class Meta:
        unknown = ma.RAISE

    error_messages = {"unknown": UNKNOWN_FIELD, "type": NOT_AN_OBJECT}  # noqa: RUF012 - marshmallow's own attribute

    null_is_absent = True

    @ma.pre_load
    def _leave_out_nulls(self, body: Any, **_: Any) -> Any:
        """Treat a null optional member as absent, unless its field allows null."""
        if not self.null_is_absent or type(body) is not dict or None not in body.values():
            return body
        known = ((field.data_key or name, field) for name, field in self.load_fields.items())
        optional = {name for name, field in known if not (field.required or field.allow_none)}
        return {name: value for name, value in body.items() if value is not None or name not in optional}


class ChangeInput(Input):
    """A change: a null member removes the value or is rejected, but is never ignored."""

    null_is_absent = False


class StrictField(ma.fields.String):
    """A JSON string without any coercion; the base of the fields below."""

    def make_error(self, key: str, **_: Any) -> ma.ValidationError:
        """The built-in errors of marshmallow, with published codes."""
        return ma.ValidationError([STANDARD[key]])

    def refuse(self, code: str, detail: str) -> ma.ValidationError:
        """The error for this value."""
        return ma.ValidationError([FieldError(code, detail)])

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if type(value) is not str:
            raise self.refuse("invalid_type", "A string is expected.")
        return self.read(value)

    def read(self, text: str) -> Any:
        """The value of `text`; raises the error that `refuse` returns."""
        raise NotImplementedError


class Text(StrictField):
    """Free text in NFC, at most `length_max` characters, without control characters."""

    def __init__(self, length_max: int, **kwargs: Any) -> None:
        super().__init__(metadata={"minLength": 1, "maxLength": length_max}, **kwargs)
        self.length_max = length_max

    def read(self, text: str) -> str:
        try:
            return free_text(text, self.length_max)
        except TextError as error:
            raise self.refuse(error.code, error.detail) from None


class SingleSpacedText(Text):
    """A text whose runs of blanks of any kind are read as one space."""

    def read(self, text: str) -> str:
        return super().read(fold_blanks(text))


class Amount(StrictField):
    """A decimal string; its decimal places are checked once its currency is known."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": r"^(0|[1-9][0-9]*)(\.[0-9]+)?$", "maxLength": 60, "example": "10.00"}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> str:
        if type(value) is not str:
            raise self.refuse("amount_must_be_string", 'Send a decimal string such as "10.00".')
        return value


class Pattern(StrictField):
    """A string that matches a regular expression."""

    expression: re.Pattern[str]
    code = "invalid_value"
    described: Mapping[str, str] = MappingProxyType({})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^{self.expression.pattern}$", **self.described}, **kwargs)

    def read(self, text: str) -> str:
        if not self.expression.fullmatch(text):
            raise self.refuse(self.code, "Does not match the expected format.")
        return text


class CurrencyCode(Pattern):
    """The code of a currency, upper case."""

    expression = _CURRENCY
    code = "currency_unknown"


class NewCurrencyCode(Pattern):
    """The code of a new currency."""

    expression = _CURRENCY


class WalletToken(Pattern):
    """The opaque token of a wallet."""

    expression = _WALLET


class Id(Pattern):
    """The id of a payment or a user."""

    expression = _ID
    described = MappingProxyType({"format": "uuid"})


class Choice(StrictField):
    """One of a fixed set of values."""

    def __init__(self, words: Iterable[str], **kwargs: Any) -> None:
        self.words = list(words)
        super().__init__(metadata={"enum": self.words}, **kwargs)

    def read(self, text: str) -> str:
        if text not in self.words:
            raise self.refuse("invalid_value", f"One of: {', '.join(self.words)}.")
        return text


class TrueOrFalse(ma.fields.Boolean):
    """A JSON boolean without any coercion."""

    make_error = StrictField.make_error

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if type(value) is not bool:
            raise ma.ValidationError([FieldError("invalid_type", "true or false is expected.")])
        return value


class WholeNumber(ma.fields.Integer):
    """A JSON integer without any coercion, within bounds."""

    make_error = StrictField.make_error

    def __init__(self, most: int, least: int = 0, code: str = "invalid_value", **kwargs: Any) -> None:
        super().__init__(metadata={"minimum": least, "maximum": most}, **kwargs)
        self.least, self.most, self.code = least, most, code

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if type(value) is not int:
            raise ma.ValidationError([FieldError("invalid_type", "An integer is expected.")])
        if not self.least <= value <= self.most:
            raise ma.ValidationError([FieldError(self.code, f"{self.least} to {self.most}.")])
        return value


class ChoiceList(StrictField):
    """A comma list of values of a fixed set, as a query parameter."""

    def __init__(self, words: Iterable[str], **kwargs: Any) -> None:
        self.words = frozenset(words)
        example = ",".join(sorted(self.words)[:2])
        super().__init__(
            metadata={"description": f"Comma list of {', '.join(sorted(self.words))}.", "example": example}, **kwargs
        )

    def read(self, text: str) -> list[str]:
        values = text.split(",", LIST_ITEMS_MAX)
        if len(values) > LIST_ITEMS_MAX or not self.words.issuperset(values):
            raise self.refuse("invalid_value", f"A comma list of: {', '.join(sorted(self.words))}.")
        return sorted(set(values))


class ActiveFilter(StrictField):
    """A filter for active rows, inactive ones, or (None) both, as a query parameter."""

    words = ChoiceList(("true", "false"))

    def __init__(self) -> None:
        super().__init__(metadata=self.words.metadata, load_default=True)

    def read(self, text: str) -> bool | None:
        values = self.words.read(text)
        return None if len(values) > 1 else values == ["true"]


class Timestamp(StrictField):
    """An RFC 3339 time with its offset, as an aware datetime in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "date-time"}, **kwargs)

    def read(self, text: str) -> datetime:
        match = _TIME.fullmatch(text)
        if match and YEAR_MIN <= int(text[:4]) <= YEAR_MAX:
            try:
                return datetime.fromisoformat("".join(match.groups()).upper()).astimezone(UTC)
            except ValueError:
                pass
        raise self.refuse("invalid_value", "An RFC 3339 time with offset, such as 2026-01-31T12:00:00Z.")


class Metadata(ma.fields.Field):
    """Up to 20 texts of the caller, each under a name of their choice."""

    make_error = StrictField.make_error
    naming = Text(METADATA_NAME_LENGTH_MAX)
    content = Text(METADATA_TEXT_LENGTH_MAX)

    def __init__(self, **kwargs: Any) -> None:
        text = {"type": "string", "maxLength": METADATA_TEXT_LENGTH_MAX}
        metadata = {"type": "object", "maxProperties": METADATA_MEMBERS_MAX, "additionalProperties": text}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, str]:
        if type(value) is not dict:
            raise ma.ValidationError([NOT_AN_OBJECT])
        if len(value) > METADATA_MEMBERS_MAX:
            raise ma.ValidationError([FieldError("invalid_value", f"At most {METADATA_MEMBERS_MAX} members.")])
        texts: dict[Any, Any] = {
            self.naming.deserialize(name): self.content.deserialize(text) for name, text in value.items()
        }
        if len(texts) != len(value):
            raise ma.ValidationError([FieldError("invalid_value", "Two names are the same after normalisation.")])
        return texts


def is_wallet_token(text: str) -> bool:
    """True if the text is a well-formed wallet token."""
    return _WALLET.fullmatch(text) is not None


def is_currency_code(text: str) -> bool:
    """True if the text is a well-formed currency code."""
    return _CURRENCY.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """True if the text is a well-formed id; an id has one spelling."""
    return _ID.fullmatch(text) is not None


class Email(StrictField):
    """An e-mail address, normalised and stripped of spaces; only its syntax is checked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"format": "email", "maxLength": EMAIL_LENGTH_MAX}, **kwargs)

    def read(self, text: str) -> str:
        if normalized := normal_email(text):
            return normalized
        raise self.refuse("email_invalid", "Must be an e-mail address.")
