"""How long each page takes on the server, and which partitions its queries read, in a database full of payments.

The pages are those of the app's URL map: a new one with an argument has to be given an example.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection

from werkzeug.routing import Rule

from bench import plans
from bench.stack import Stack
from gateway import create_app
from gateway.pages import registration

READINGS = 20
ANSWER_SECONDS_MAX = 60.0
COOKIE = "payments_session"
STATIC = "pages_static"

OPS, SHOP, CUSTOMER, NOBODY = "ops", "shop", "customer", "nobody"
VISITORS = {"/console": (OPS,), "/app": (SHOP, CUSTOMER), "/second-factor": (OPS,), "/sign-in": (NOBODY,)}
"""Who reads the pages below a path."""

EXAMPLES: Mapping[str, Sequence[str]] = {
    "/console": ("/console", "/console?span=day"),
    "/console/payments": (
        "/console/payments",
        *(f"/console/payments?{query}" for query in ("state=FAILED", "state=AUTHORIZED", "type=refund")),
        *(f"/console/payments?{query}" for query in ("parked=true", "undecided=true", "stuck=60", "currency=EUR")),
        *(f"/console/payments?{query}" for query in ("failure=account_frozen", "error_contains=timeout")),
        *(f"/console/payments?{query}" for query in ("attempts_min=3", "merchant={shop_id}", "user={customer_id}")),
        *(f"/console/payments?{query}" for query in ("wallet={shop_wallet}", "created_before={long_ago}")),
        *(f"/console/payments?{query}" for query in ("bulk={bulk}", "batch={batch}")),
    ),
    "/console/payments/<id>": ("/console/payments/{charge}", "/console/payments/{parked}", "/console/payments/{old}"),
    "/console/batches/<id>": ("/console/batches/{batch}",),
    "/console/users/<id>": ("/console/users/{shop_id}", "/console/users/{customer_id}"),
    "/console/accounts/<id>": ("/console/accounts/{account}",),
    "/console/bulks/<kind>/<id>": ("/console/bulks/charges/{bulk}",),
    "/console/rails/<rail>": ("/console/rails/simulator",),
    "/console/reconciliation/<id>": ("/console/reconciliation/{statement}",),
    "/console/webhooks/<id>": ("/console/webhooks/{endpoint}",),
    "/console/webhooks/deliveries/<id>": ("/console/webhooks/deliveries/{delivery}",),
    "/console/quotes/<id>": ("/console/quotes/{quote}",),
    "/console/search": ("/console/search?q=HB-20417", "/console/search?q=nothing", "/console/search?q={charge}"),
    "/console/closing": ("/console/closing", "/console/closing?month={month}&timezone=Asia/Kathmandu"),
    "/console/api": ("/console/api?path=/v1/ops/payments/{charge}",),
    "/app/payments": (
        "/app/payments",
        *(f"/app/payments?{query}" for query in ("state=FAILED", "state=INITIATED", "type=refund")),
        *(f"/app/payments?{query}" for query in ("reference=HB-20417", "created_at[lt]={long_ago}")),
    ),
    "/app/payments/<id>": ("/app/payments/{own}",),
    "/app/quotes/<id>": ("/app/quotes/{quote}",),
    "/app/wallets/<token>": ("/app/wallets/{wallet}", "/app/wallets/{wallet}?direction=in"),
    "/app/wallets/<token>/controls": ("/app/wallets/{wallet}/controls",),
    "/app/webhooks/<id>": ("/app/webhooks/{endpoint}",),
    "/app/webhooks/deliveries/<id>": ("/app/webhooks/deliveries/{delivery}",),
}
"""What is asked for, by the rule of a page; a page without arguments that is not named here is asked for as it is."""

OF_SHOPS = frozenset(
    {
        *("/app/charges/new", "/app/closing", "/app/members", "/app/webhooks/<id>"),
        "/app/webhooks/deliveries/<id>",
    }
)
"""Pages that are read by the shop alone."""

FILES = frozenset(
    {
        "/app/wallets/<token>/statement",
        "/app/events",
        "/app/payments/<id>/events",
        "/console/audit.<suffix>",
        "/console/closing.<suffix>",
        "/console/bulks/<kind>/<id>/lines.csv",
        "/console/payments/<id>/payment.json",
        "/console/rails/<rail>/files/<id>",
    }
)
"""What is downloaded or streamed, and no page: it may be long."""


@dataclass(frozen=True)
class Page:
    """A page as one visitor asks for it; `shown` is its path with the names of values in their place."""

    visitor: str
    shown: str
    path: str


@dataclass
class Reading:
    """What was measured of a page: seconds of each reading, the statuses, and the scans of one reading."""

    page: Page
    seconds: list[float] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    scans: list[plans.Scan] = field(default_factory=list)


def rules() -> list[Rule]:
    """The routes of the pages that are read, without those of files and of what is not found."""
    names = {blueprint.name for blueprint in registration.BLUEPRINTS} - {STATIC}
    return [
        rule
        for rule in create_app().url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in names
        and "GET" in (rule.methods or ())
        and rule.rule not in FILES
        and not rule.endpoint.endswith("_unknown")
    ]


def examples(rule: Rule) -> Sequence[str]:
    """What is asked for of a page; raises KeyError if it has arguments and no example."""
    return EXAMPLES[rule.rule] if rule.arguments - set(rule.defaults or ()) else EXAMPLES.get(rule.rule, (rule.rule,))


def visitors(rule: Rule) -> Sequence[str]:
    """Who reads a page."""
    if rule.rule in OF_SHOPS:
        return (SHOP,)
    return next(who for prefix, who in VISITORS.items() if rule.rule.startswith(prefix))


def pages(values: Mapping[str, Mapping[str, str]]) -> list[Page]:
    """All pages for each of their visitors, with the values that the visitor's own examples have."""
    return [
        Page(visitor, shown, shown.format_map(values.get(visitor, {})))
        for rule in rules()
        for visitor in visitors(rule)
        for shown in examples(rule)
    ]


def read(running: Stack, wanted: Sequence[Page], tokens: Mapping[str, str], times: int) -> list[Reading]:
    """Ask for each page so many times, in turns, after a first time that is not counted; then log what one reads."""
    readings = [Reading(page) for page in wanted]
    connection = HTTPConnection(*running.address, timeout=ANSWER_SECONDS_MAX)
    for number in range(times + 1):
        for reading in readings:
            seconds, status = _ask(connection, reading.page, tokens)
            reading.statuses.add(status)
            if number:
                reading.seconds.append(seconds)
    connection.close()
    with plans.logged(running) as log:
        connection = HTTPConnection(*running.address, timeout=ANSWER_SECONDS_MAX)
        for reading in readings:
            _ask(connection, reading.page, tokens)
            log.new()
            _ask(connection, reading.page, tokens)
            reading.scans = log.new()
        connection.close()
    return readings


def _ask(connection: HTTPConnection, page: Page, tokens: Mapping[str, str]) -> tuple[float, int]:
    """Seconds until the last byte of the page, and its status.

    Raises ValueError if it is none: a stream might never end.
    """
    headers = {"Cookie": f"{COOKIE}={tokens[page.visitor]}"} if page.visitor in tokens else {}
    begun = time.perf_counter()
    connection.request("GET", page.path, headers=headers)
    with connection.getresponse() as answer:
        if answer.headers.get_content_type() != "text/html":
            raise ValueError(f"{page.path} is no page: it belongs to FILES")
        answer.read()
        return time.perf_counter() - begun, answer.status
