"""Bulk charges over HTTP: a thousand lines a request, over a few connections, in a process of its own."""

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from uuid_utils.compat import uuid7

from bench.world import CURRENCY, World

PATH = "/v1/bulk-charges"
LINES = 1_000
CONNECTIONS = 4
"""More connections gain nothing: accepting a thousand lines keeps a gateway process busy for long."""


def bodies(world: World, count: int, chance: random.Random) -> list[bytes]:
    """Orders of LINES charges of 1.00 each, of random wallets."""
    return [
        json.dumps(
            {
                "currency": CURRENCY,
                "charges": [
                    {"wallet": account.token, "amount": "1.00"} for account in chance.choices(world.accounts, k=LINES)
                ],
            }
        ).encode()
        for _ in range(count)
    ]


def send(address: tuple[str, int], token: str, orders: Sequence[bytes]) -> tuple[Counter[int], float, float, float]:
    """Send each order once; returns the statuses, the times of begin and end, and the seconds of CPU."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def some(share: Sequence[bytes]) -> list[int]:
        connection = HTTPConnection(*address)
        statuses = []
        for order in share:
            connection.request("POST", PATH, order, {**headers, "Idempotency-Key": str(uuid7())})
            with connection.getresponse() as answer:
                answer.read()
                statuses.append(answer.status)
        connection.close()
        return statuses

    begun, cpu_begun = time.time(), time.process_time()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        answers = list(threads.map(some, (orders[n::CONNECTIONS] for n in range(CONNECTIONS))))
    cpu = time.process_time() - cpu_begun
    return Counter(status for statuses in answers for status in statuses), begun, time.time(), cpu
