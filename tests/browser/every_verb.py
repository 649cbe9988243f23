"""The verbs of all pages: the POST routes of the URL map, each with the names that its code knows."""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product
from urllib.parse import urlsplit

from werkzeug.routing import MapAdapter

from gateway import create_app
from gateway.pages import registration
from gateway.pages.app import controls, profile, webhooks
from gateway.pages.app import payment_verbs as app_payment_verbs
from gateway.pages.console import approvals, payment_verbs, reconciliation, retries, saved_views, user_verbs

ONE_BY_ONE = ("ask", "cancel", "fail", "void")
"""What is ordered for several payments, one after the other; retries are a batch."""


def _names(name: str, values: Iterable[str]) -> list[dict[str, str]]:
    return [{name: value} for value in values]


NAMES: Mapping[str, list[dict[str, str]]] = {
    "/console/payments/<id>/<name>": _names("name", (*payment_verbs.VERBS, payment_verbs.NOTE.name)),
    "/console/payments/selected/<name>": _names("name", ONE_BY_ONE),
    "/console/batches/<id>/<name>": _names("name", retries.BATCH_VERBS),
    "/console/approvals/<kind>/<id>/<name>": [
        {"kind": kind, "name": name} for kind, name in product(approvals.KINDS, ("approve", "reject"))
    ],
    "/console/reconciliation/<id>/lines/<line>/<name>": _names("name", reconciliation.LINE_VERBS),
    "/console/users/<id>/<name>": _names("name", user_verbs.VERBS.keys() - {"withdraw-owner"}),
    "/console/views/<id>/<name>": _names("name", saved_views.VERBS),
    "/console/users/<id>/<kind>/<token>/end": _names("kind", user_verbs.ONE_OF),
    "/app/payments/<id>/<name>": _names("name", app_payment_verbs.VERBS),
    "/app/wallets/<token>/controls/<name>": _names("name", controls.DONE_TEXTS),
    "/app/webhooks/<id>/<name>": _names("name", webhooks.VERBS),
    "/app/profile/<form>": _names("form", profile.DONE_TEXTS),
}
"""What stands for a verb in a rule, and its values."""

CHOSEN = frozenset({"name", "kind", "form"})
"""The arguments of rules that are not ids."""


@cache
def _routes() -> MapAdapter:
    return create_app().url_map.bind("localhost")


def verbs() -> set[str]:
    """All of them, as rules with their names in place; raises KeyError for a rule whose names are not known here."""
    blueprints = {blueprint.name for blueprint in registration.BLUEPRINTS}
    return {
        _named(rule.rule, values)
        for rule in _routes().map.iter_rules()
        if rule.endpoint.partition(".")[0] in blueprints
        and "POST" in (rule.methods or ())
        and not rule.endpoint.endswith("_unknown")
        for values in (NAMES[rule.rule] if CHOSEN & rule.arguments - set(rule.defaults or ()) else [{}])
    }


def verb_of(url: str) -> str:
    """The verb that a POST to this URL orders."""
    rule, values = _routes().match(urlsplit(url).path, "POST", return_rule=True)
    return _named(rule.rule, values if rule.rule in NAMES else {})


def _named(rule: str, values: Mapping[str, str]) -> str:
    for name in CHOSEN & values.keys():
        rule = rule.replace(f"<{name}>", values[name])
    return rule
