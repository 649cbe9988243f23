"""What a refusal of the API says of one field of a form, and the attributes that tie it to the field."""

from collections.abc import Mapping
from typing import Any

FIELD_OF_CODE = {
    "duplicate_phone_number": "phone_number",
    "duplicate_member": "email",
    "duplicate_reference": "reference",
    "second_factor_invalid": "code",
}
"""The fields that these refusals are about, although they name no member."""


class Focus:
    """Gives the focus to the first field of a page that asks for it."""

    def __init__(self) -> None:
        self._is_taken = False

    def take(self) -> bool:
        """True the first time."""
        was_taken, self._is_taken = self._is_taken, True
        return not was_taken


def errors_at(problem: Mapping[str, Any] | None, name: str) -> list[str]:
    """What the refusal says of the field with this name: of the member, of one below it, or of the parameter."""
    if not problem:
        return []
    errors = problem.get("errors") or []
    if not errors and FIELD_OF_CODE.get(problem.get("code", "")) == name:
        return [problem.get("detail") or problem["title"]]
    return [error["detail"] for error in errors if _member(error) == name]


def _member(error: Mapping[str, Any]) -> str:
    """The first part of a JSON pointer, or the parameter."""
    pointer: str = error.get("pointer") or ""
    return pointer[1:].partition("/")[0] if pointer else str(error.get("parameter", ""))


def described(id: str, hint: str, errors: list[str], focus: Focus | None, wants_focus: bool = False) -> dict[str, Any]:
    """The attributes of a field that name its hint and its errors; the first invalid one of a page has the focus.

    Without `focus` it is a group of fields, which cannot have it.
    """
    by = [f"{id}-error"] * bool(errors) + [f"{id}-hint"] * bool(hint)
    attributes: dict[str, Any] = {"aria-describedby": " ".join(by)} if by else {}
    if errors and focus:
        attributes["aria-invalid"] = "true"
    if (errors or wants_focus) and focus and focus.take():
        attributes["autofocus"] = ""
    return attributes
