"""The pages of the URL map, each for those who may see it, with something to show."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bench import pages
from tests.browser import subjects
from tests.browser.scene import HOSTILE, Scene

PEOPLE = {pages.OPS: ("ops", "auditor"), pages.SHOP: ("merchant",), pages.CUSTOMER: ("client",), pages.NOBODY: ("",)}
"""Who of the scene reads the pages of each visitor of the benchmark."""

SHOWN: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "/console/payments": ("/console/payments?merchant={shop_id}&columns=parties&columns=summary",),
        "/console/search": ("/console/search?q=nothing", "/console/search?q={shared}"),
        "/console/accounts": ("/console/accounts?currency=EUR", "/console/accounts?owner={customer_id}"),
        "/console/approvals": ("/console/approvals?show=all",),
        "/console/closing": ("/console/closing?month=2026-01&timezone=Europe/Berlin",),
        "/console/payments/<id>": ("/console/payments/{parked}", "/console/payments/{old}"),
        "/app/payments/<id>": ("/app/payments/{own}", "/app/payments/{held}"),
    }
)
"""What is looked at instead of what is measured."""

BESIDE = {
    "merchant": ("/app/wallets/{wallet}/statement", "/app/closing?format=html", "/app/payments/unknown"),
    "client": ("/app/wallets/{wallet}/statement",),
    "ops": ("/console/payments/{charge}?compact=1", "/console/unknown"),
}
"""Documents to print, which are files to the benchmark, and what is not found."""


def paths(scene: Scene) -> dict[str, list[str]]:
    """The paths of all pages by person, "" for who is not signed in; those of one rule that differ by query once."""
    named = values(scene)
    found: dict[str, list[str]] = {}
    for rule in pages.rules():
        for visitor in pages.visitors(rule):
            for person in PEOPLE[visitor]:
                first = {path.partition("?")[0]: path for path in reversed(pages.examples(rule))}
                shown = SHOWN.get(rule.rule) or first.values()
                found.setdefault(person, []).extend(path.format_map(named[visitor]) for path in shown)
    for person, more in BESIDE.items():
        visitor = next(visitor for visitor, people in PEOPLE.items() if person in people)
        found[person] += [path.format_map(named[visitor]) for path in more]
    return found


def values(scene: Scene) -> dict[str, dict[str, str]]:
    """What the examples of the pages are filled with."""
    shop, customer = subjects.endpoint(scene, "merchant"), subjects.endpoint(scene, "client")
    subjects.resolution(scene)
    scene.post("merchant", "/v1/invitations", email=f"mia-{scene.mark}@example.com", role="operator")
    scene.post("client", "/v1/api-keys", name=HOSTILE, scopes=["payments:read"])
    scene.post("ops", f"/v1/ops/payments/{scene.charge}/notes", text=HOSTILE)
    subjects.adjustment(scene)
    subjects.rail_file(scene)
    payout, parked, retried = subjects.payout(scene), subjects.parked(scene), subjects.parked(scene)
    scene.post("ops", f"/v1/ops/payments/{payout}/ask", reason=HOSTILE)
    common = {
        **{"charge": scene.charge, "parked": parked, "old": payout, "shared": scene.wallets["client"][-4:]},
        **{"shop_id": scene.ids["merchant"], "customer_id": scene.ids["client"], "account": scene.accounts["client"]},
        **{"batch": subjects.batch(scene, retried), "bulk": subjects.bulk(scene)},
        **{"statement": subjects.statement(scene), "held": scene.held[0], "quote": subjects.used_quote(scene)},
    }
    shops = {"endpoint": shop, "delivery": subjects.delivery(scene, "merchant", shop), "own": scene.charge}
    customers = {
        "quote": subjects.quote(scene, "client"),
        "endpoint": customer,
        "delivery": subjects.delivery(scene, "client", customer),
        "own": payout,
    }
    return {
        pages.OPS: {**common, **shops},
        pages.SHOP: {**common, **shops, "wallet": scene.wallets["merchant"]},
        pages.CUSTOMER: {**common, **customers, "wallet": scene.wallets["client"]},
        pages.NOBODY: {},
    }
