"""Parameter types of the commands, with the rules of the HTTP API; an invalid value ends the command with one line."""

import re
import unicodedata

import click

from models.audit import REASON_LENGTH_MAX
from models.rules.blanks import has_controls, is_blank
from models.user import normal_email


class EmailAddress(click.ParamType):
    """An e-mail address, with the rules of sign-up."""

    name = "email"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The address in its normal form."""
        return normal_email(value) or self.fail("not an e-mail address", param, ctx)


class TextArgument(click.ParamType):
    """Free text: NFC, at most `length_max` characters, without control characters."""

    name = "text"

    def __init__(self, length_max: int) -> None:
        self.length_max = length_max

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text as it is stored."""
        text = unicodedata.normalize("NFC", value)
        if len(text) > self.length_max:
            self.fail(f"at most {self.length_max} characters", param, ctx)
        if has_controls(text):
            self.fail("control characters are not allowed", param, ctx)
        if is_blank(text):
            self.fail("must not be empty", param, ctx)
        return text


class PatternArgument(click.ParamType):
    """A text that matches a regular expression as a whole."""

    def __init__(self, name: str, expression: str) -> None:
        self.name = name
        self._expression = re.compile(expression, re.ASCII)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        return value if self._expression.fullmatch(value) else self.fail(f"not a {self.name}", param, ctx)


CURRENCY = PatternArgument("currency", r"[A-Z][A-Z0-9]{2,11}")
WALLET = PatternArgument("wallet token", r"wal_[A-Za-z0-9_-]{22,64}")

AMOUNT = PatternArgument("decimal amount", r"(?=.{1,60}\Z)(0|[1-9][0-9]*)(\.[0-9]+)?")

reasoned = click.option(
    "--reason", type=TextArgument(REASON_LENGTH_MAX), required=True, help="Why; stored in the audit log."
)
