"""Looking up what a path names: not_found for what does not exist, and for what belongs to another user."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from flask import g

from gateway.http.errors import not_found
from gateway.http.fields import is_id


class Owned(Protocol):
    """A record that belongs to a user."""

    @property
    def user_id(self) -> str: ...


Record = TypeVar("Record")
OwnedRecord = TypeVar("OwnedRecord", bound=Owned)


def path_id(text: str) -> str:
    """The id in a path; raises ApiError not_found for text that is no id, before a query fails on it."""
    if not is_id(text):
        raise not_found()
    return text


def found(record: Record | None, is_visible: Callable[[Record], bool] | None = None) -> Record:
    """The record that a query found; raises ApiError not_found if there is none, or the caller may not see it."""
    if record is None or (is_visible and not is_visible(record)):
        raise not_found()
    return record


def owned(record: OwnedRecord | None) -> OwnedRecord:
    """The record, if it belongs to the caller; raises ApiError not_found."""
    return found(record, lambda record: record.user_id == g.caller.id)


def readable(record: OwnedRecord | None) -> OwnedRecord:
    """The record, if it belongs to the caller, or the caller reads all; raises ApiError not_found."""
    return found(record, lambda record: record.user_id == g.caller.id or g.caller.reads_all)
