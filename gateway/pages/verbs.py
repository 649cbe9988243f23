"""Verbs: what a visitor may do on a page, each a POST of the API with the fields that it asks for."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from gateway.pages.api_calls import ApiCall
from gateway.pages.visitors import Visitor

WAIT = {"Prefer": "wait=2"}
"""How long a page waits for the outcome of a verb, in seconds: then it is shown as it is."""


DONE = "done"
"""The parameter that names the verb that was carried out, on the page that is shown then."""


class VerbField(NamedTuple):
    """A field of a verb's form; `kind` is a type of input, "textarea", or a list of (value, label)."""

    name: str
    label: str
    kind: str | list[tuple[str, str]] = "text"
    is_required: bool = True
    hint: str = ""


REASON = VerbField("reason", "Reason", "textarea", hint="Is kept in the audit log with your name.")


class Verb(NamedTuple):
    """A verb: `path` is that of the API, with {id}; `effect` says in a sentence what it does.

    `body` has the members that are the same each time.
    """

    name: str
    label: str
    effect: str
    path: str
    scope: str
    fields: tuple[VerbField, ...] = (REASON,)
    is_dangerous: bool = False
    headers: Mapping[str, str] = {}
    method: str = "POST"
    body: Mapping[str, Any] = {}

    def call(self, id: str, form: Mapping[str, str]) -> ApiCall:
        """The request that the form orders; fields that are left empty are left out."""
        body: dict[str, Any] = {
            field.name: form[field.name].strip() for field in self.fields if form.get(field.name, "").strip()
        }
        return ApiCall(self.method, self.path.format(id=id), body={**self.body, **body}, headers=self.headers)

    def curl(self, id: str) -> str:
        """The command that does the same, with the names of its fields in place of their values."""
        example = {field.name: field.name.upper() for field in self.fields if field.is_required}
        return self.call(id, example).curl()


def offered(verbs: Mapping[str, Verb], names: Collection[str], visitor: Visitor) -> list[Verb]:
    """The verbs among these names that the visitor has the scopes for, in the order of the mapping."""
    return [verb for name, verb in verbs.items() if name in names and visitor.may(verb.scope)]
