"""A small business on a stack: shops, their customers, and all that happens to payments; made over HTTP.

For pictures of the pages and for measuring them: names and amounts as in life, one of everything that a page shows.
"""

import json
import secrets
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from embedded import api
from embedded.home import StackError

if TYPE_CHECKING:
    from embedded.stack import Stack

CURRENCY = "EUR"
SECONDS_MAX = 60.0
POLL_SECONDS = 0.05
QUOTED = "40.00"
UNANSWERED = "6660.07"
"""An amount at which the simulated bank fails, without paying."""

ERROR = "LockNotAvailable: canceling statement due to lock timeout"

OPS = [("olga.becker@payments.example", "Olga Becker"), ("daniel.okafor@payments.example", "Daniel Okafor")]
AUDITOR = ("ruth.lindqvist@audit.example", "Ruth Lindqvist")
SHOPS = [
    ("books@haltern-books.example", "Haltern Books"),
    ("hello@northwind-coffee.example", "Northwind Coffee"),
    ("office@velo-atelier.example", "Vélo Atelier"),
]
CUSTOMERS = [
    ("anna.schmidt@mail.example", "Anna Schmidt"),
    ("jonas.weber@mail.example", "Jonas Weber"),
    ("maria.rossi@mail.example", "Maria Rossi"),
    ("lucas.martin@mail.example", "Lucas Martin"),
    ("sofia.garcia@mail.example", "Sofía García"),
    ("emil.nowak@mail.example", "Emil Nowak"),
]
ORDERS = [
    ("0", "38.90", "Two novels and an atlas", "HB-20417"),
    ("1", "14.50", "Espresso beans, 500 g", "NC-7731"),
    ("2", "249.00", "Wheel truing and new brakes", "VA-1182"),
    ("0", "21.00", "The Old Man and the Sea", "HB-20418"),
    ("1", "32.75", "Filter kettle", "NC-7732"),
    ("0", "64.20", "Children's books", "HB-20419"),
    ("1", "9.80", "Decaf beans, 250 g", "NC-7733"),
    ("2", "1180.00", "Touring bike, second instalment", "VA-1183"),
    ("0", "17.30", "Cookbook", "HB-20420"),
    ("1", "45.60", "Office subscription, December", "NC-7734"),
]
"""Shop, amount, summary and reference of each charge; customers order in turn."""


class Business:
    """People with tokens, and the ids of what happened, by what it is."""

    def __init__(self, stack: "Stack") -> None:
        self.stack, self.url = stack, stack.url
        self.ids: dict[str, str] = {}
        wanted = [
            *({"email": email, "role": "ops", "name": name} for email, name in OPS),
            {"email": AUDITOR[0], "role": "auditor", "name": AUDITOR[1]},
            *({"email": email, "role": "merchant", "name": name} for email, name in SHOPS),
            *({"email": email, "role": "client", "name": name} for email, name in CUSTOMERS),
        ]
        made = iter(stack.create_users(wanted))
        self.ops = [next(made) for _ in OPS]
        self.auditor = next(made)
        self.shops = [next(made) for _ in SHOPS]
        self.customers = [next(made) for _ in CUSTOMERS]
        for person in (*self.shops, *self.customers):
            opened = self.post(person, "/v1/wallets", currency=CURRENCY, label="Main")
            person["wallet"] = opened["token"]

    def trade(self) -> None:
        """Let everything happen once."""
        self._deposits()
        self._charges()
        self._conversion()
        self._webhooks()
        self._bulk()
        self._withdrawals()
        self._proposals()
        self._statement()
        self._parked()

    def post(self, person: dict[str, str], path: str, **body: Any) -> Any:
        """The answer to this person's order."""
        return api.call(f"{self.url}{path}", person["token"], body, key=secrets.token_hex(8))

    def get(self, person: dict[str, str], path: str) -> Any:
        """The answer to this person's question."""
        return api.call(f"{self.url}{path}", person["token"])

    def until(self, id: str, *states: str) -> None:
        """Return when the payment has one of these states; raises StackError."""
        eventually(lambda: self.get(self.ops[0], f"/v1/payments/{id}")["state"] in states)

    def _deposits(self) -> None:
        for number, person in enumerate((*self.customers, *self.shops)):
            amount = f"{640 + 215 * number}.00" if person is not self.shops[1] else "9400.00"
            order = {"wallet": person["wallet"], "amount": amount, "currency": CURRENCY, "source": "wire"}
            deposit = self.post(person, "/v1/deposits", **order)
            self.until(deposit["id"], "COMPLETED")

    def charge(self, shop: int, customer: int, amount: str, **members: Any) -> str:
        """The id of a charge of a customer by a shop."""
        order = {"wallet": self.customers[customer]["wallet"], "amount": amount, "currency": CURRENCY, **members}
        return str(self.post(self.shops[shop], "/v1/charges", **order)["id"])

    def _charges(self) -> None:
        for number, (shop, amount, summary, reference) in enumerate(ORDERS):
            members = {
                "summary": summary,
                "reference": reference,
                "metadata": {"channel": "web", "items": str(number + 1)},
            }
            self.ids["charge"] = self.charge(int(shop), number % len(CUSTOMERS), amount, **members)
        self.ids["failed"] = self.charge(2, 0, "2890.00", summary="Cargo bike, deposit", reference="VA-1184")
        self.ids["held"] = self.charge(
            2, 1, "120.00", summary="Rental, held until return", reference="VA-1185", capture=False
        )
        self.ids["scheduled"] = self.charge(
            1, 2, "45.60", summary="Office subscription, January", scheduled_at=_in_days(30)
        )
        self.until(self.ids["charge"], "COMPLETED", "FAILED")
        self.until(self.ids["held"], "AUTHORIZED")
        refunded = self.charge(0, 3, "28.40", summary="Travel guide", reference="HB-20421")
        self.until(refunded, "COMPLETED")
        refund = self.post(self.shops[0], "/v1/refunds", charge=refunded, reason="requested_by_customer")
        self.ids |= {"refunded": refunded, "refund": refund["id"]}
        self.until(refund["id"], "COMPLETED")

    def _conversion(self) -> None:
        """The first shop pays an author in dollars, by a quote."""
        rate = {"source": CURRENCY, "target": "USD", "rate": "1.0837", "source_name": "European Central Bank"}
        api.call(f"{self.url}/v1/exchange-rates", self.ops[0]["token"], rate, method="PUT")
        shop = self.shops[0]
        dollars = self.post(self.customers[5], "/v1/wallets", currency="USD", label="Royalties")["token"]
        self.ids["quote"] = self.quote(shop)
        order = {"source": shop["wallet"], "target": dollars, "amount": QUOTED, "currency": CURRENCY}
        self.until(self.post(shop, "/v1/transfers", **order, quote=self.ids["quote"])["id"], "COMPLETED")

    def quote(self, person: dict[str, str]) -> str:
        """The id of a quote of this person's."""
        order = {"source_currency": CURRENCY, "target_currency": "USD", "amount": QUOTED}
        return str(self.post(person, "/v1/quotes", **order)["id"])

    def _webhooks(self) -> None:
        endpoint = self.post(
            self.shops[0], "/v1/webhook-endpoints", url="http://127.0.0.1:9/orders", event_types=["payment.completed"]
        )
        self.ids["endpoint"] = endpoint["id"]
        self.until(self.charge(0, 4, "12.90", summary="Poetry", reference="HB-20422"), "COMPLETED")
        path = f"/v1/webhook-endpoints/{endpoint['id']}/deliveries"
        self.ids["delivery"] = eventually(lambda: self.get(self.shops[0], path)["data"])[0]["id"]

    def _bulk(self) -> None:
        lines = [
            {"wallet": person["wallet"], "amount": f"{number + 8}.00"} for number, person in enumerate(self.customers)
        ]
        self.ids["bulk"] = self.post(self.shops[1], "/v1/bulk-charges", currency=CURRENCY, charges=lines)["id"]

    def _withdrawals(self) -> None:
        """One that the bank pays, and one that it does not answer for."""
        shop = self.shops[1]
        bank = {"target": "wire", "name": "Northwind Coffee GmbH", "iban": "DE89370400440532013000"}
        for name, amount, summary in (
            ("withdrawal", "310.00", "Takings of the week"),
            ("undecided", UNANSWERED, "Roasting machine"),
        ):
            order = {"wallet": shop["wallet"], "amount": amount, "currency": CURRENCY, "summary": summary}
            self.ids[name] = self.post(shop, "/v1/withdrawals", **order, **bank)["id"]

    def _proposals(self) -> None:
        order = {"wallet": self.customers[4]["wallet"], "direction": "credit", "amount": "4.00", "currency": CURRENCY}
        reason = "Charged twice for delivery, ticket 8812"
        self.ids["adjustment"] = self.post(self.ops[1], "/v1/ops/adjustments", **order, reason=reason)["id"]

    def _statement(self) -> None:
        """A bank statement with a fee that no payment explains."""
        day = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
        lines = [
            "booked_on,direction,amount,currency,end_to_end_id,bank_reference,description",
            f"{day},debit,14.50,EUR,,B-88121,Account fee November",
            f"{day},debit,310.00,EUR,{self.ids['withdrawal']},B-88122,Northwind Coffee GmbH",
        ]
        request = urllib.request.Request(  # noqa: S310 - our own gateway's URL
            f"{self.url}/v1/ops/reconciliations",
            "\n".join(lines).encode(),
            {"Authorization": f"Bearer {self.ops[0]['token']}", "Content-Type": "text/csv"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own gateway's URL
            self.ids["statement"] = json.load(answer)["id"]

    def _parked(self) -> None:
        """Charges that no poster could post: parked after the last attempt. One of them is retried, in a batch."""
        from sqlalchemy import NullPool  # noqa: PLC0415 - as in demo.py

        import settings  # noqa: PLC0415
        from models import payment  # noqa: PLC0415
        from models.rules.retry import ATTEMPTS_MAX  # noqa: PLC0415
        from models.session import open_engine, transaction  # noqa: PLC0415

        posters = self.stack.doing("posting").values()
        for poster in posters:
            poster.stop()
        parked = [
            self.charge(0, 1, "52.40", summary="Photography, second edition", reference="HB-20423"),
            self.charge(1, 5, "19.90", summary="Cold brew, six bottles", reference="NC-7735"),
        ]
        engine = open_engine(self.stack.role_url(settings.WORKER_ROLE), NullPool)
        for id in parked:
            for attempt in range(1, ATTEMPTS_MAX + 1):
                with transaction(engine) as connection:
                    payment.postpone(connection, id, attempt, ERROR, 0.0, park=attempt == ATTEMPTS_MAX)
        for poster in posters:
            poster.start()
        self.ids["parked"], retried = parked
        filter = {"parked": True, "ids": [retried]}
        selection = self.post(self.ops[0], "/v1/ops/payments/retry", filter=filter)["selection"]
        order = {"selection": selection, "reason": "The lock was held by a backup, which has ended"}
        self.ids["batch"] = self.post(self.ops[0], "/v1/ops/payments/retry", **order)["id"]
        self.until(retried, "COMPLETED")


def eventually(what: Callable[[], Any]) -> Any:
    """What it returns, once that is true; raises StackError if it takes too long."""
    deadline = time.monotonic() + SECONDS_MAX
    while not (found := what()):
        if time.monotonic() > deadline:
            raise StackError(f"the business did not go on within {SECONDS_MAX:g} s")
        time.sleep(POLL_SECONDS)
    return found


def _in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
