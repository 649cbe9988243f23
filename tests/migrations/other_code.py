"""The code of whatever checkout this is run in, over a database that newer code migrated, with every kind of payment.

`test_previous_release.py` runs this file with an older checkout as working directory and PYTHONPATH, so it uses of that
checkout only what it imports. Its arguments are the URLs of the database, as its owner, and of Valkey. It writes the
ids of payments that must be COMPLETED, as JSON.
"""

import json
import sys

from embedded import home
from embedded.business import Business, eventually
from embedded.stack import Stack


def main(database_url: str, redis_url: str) -> None:
    with home.temporary() as place:
        stack = Stack(place, database_url=database_url, redis_url=redis_url)
        try:
            stack.start_servers()
            stack.start_processes()
            sys.stdout.write(json.dumps(pay(Business(stack))))
        finally:
            stack.stop()


def pay(business: Business) -> list[str]:
    """All that a business does, a retry by ops among it, and what that leaves open."""
    business.trade()
    ops, held = business.ops[0], business.ids["held"]
    business.post(business.shops[2], f"/v1/charges/{held}/capture")
    business.post(business.shops[1], f"/v1/payments/{business.ids['scheduled']}/cancel")
    proposed = next(iter(business.get(ops, "/v1/ops/adjustments?state=proposed")["data"]))
    business.post(ops, f"/v1/ops/adjustments/{proposed['id']}/approve")
    author = business.customers[5]
    dollars = business.get(author, "/v1/wallets")["data"]
    to = next(wallet["token"] for wallet in dollars if wallet["currency"] == "USD")
    order = {"source_currency": "EUR", "target_currency": "USD", "amount": "4.00"}
    quote = business.post(author, "/v1/quotes", **order)["id"]
    exchange = business.post(author, "/v1/exchanges", source=author["wallet"], target=to, quote=quote)["id"]
    reason = {"reason": "the lock is free"}
    business.post(ops, f"/v1/ops/payments/{business.ids['parked']}/retry", **reason)
    business.until(business.ids["scheduled"], "FAILED")
    bulk = f"/v1/bulk-charges/{business.ids['bulk']}"
    eventually(lambda: business.get(business.shops[1], bulk)["state"] == "COMPLETED")
    later = [held, exchange, *(business.ids[name] for name in ("withdrawal", "refund", "charge", "parked"))]
    for id in later:
        business.until(id, "COMPLETED")
    return later


if __name__ == "__main__":
    main(*sys.argv[1:])
