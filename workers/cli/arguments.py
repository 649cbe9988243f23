"""Parameter types of the commands, with the rules of the HTTP API; an invalid value ends the command with one line."""

import re
from pathlib import Path
from typing import Any

import click

from models.audit import REASON_LENGTH_MAX
from models.rules.text import TextError, free_text
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
        try:
            return free_text(value, self.length_max)
        except TextError as error:
            return self.fail(error.detail[0].lower() + error.detail[1:].rstrip("."), param, ctx)


class PatternArgument(click.ParamType):
    """A text that matches a regular expression as a whole."""

    def __init__(self, name: str, expression: str) -> None:
        self.name = name
        self._expression = re.compile(expression, re.ASCII)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        return value if self._expression.fullmatch(value) else self.fail(f"not a {self.name}", param, ctx)


class FileArgument(click.ParamType):
    """The path of a file; its content, of which at most a byte more than `bytes_max` is read."""

    name = "file"

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """What is in the file."""
        if isinstance(value, bytes):
            return value
        try:
            with Path(value).open("rb") as file:
                return file.read(self._bytes_max + 1)
        except OSError as error:
            return self.fail(f"cannot be read: {error.strerror}", param, ctx)
        except ValueError:
            return self.fail("not a path", param, ctx)


class FolderArgument(click.ParamType):
    """The path of an existing folder."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path."""
        try:
            return Path(value) if value and Path(value).is_dir() else self.fail("not a folder", param, ctx)
        except (OSError, ValueError):
            return self.fail("not a path", param, ctx)


CURRENCY = PatternArgument("currency", r"[A-Z][A-Z0-9]{2,11}")
WALLET = PatternArgument("wallet token", r"wal_[A-Za-z0-9_-]{22,64}")
WALLET_OR_ID = PatternArgument(
    "wallet token or account id", r"wal_[A-Za-z0-9_-]{22,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)

AMOUNT = PatternArgument("decimal amount", r"(?=.{1,60}\Z)(0|[1-9][0-9]*)(\.[0-9]+)?")

reasoned = click.option(
    "--reason", type=TextArgument(REASON_LENGTH_MAX), required=True, help="Why; stored in the audit log."
)
