"""What a receiver was sent."""

import json

from tests.webhook_receiver import Heard

BOTH = ["payment.initiated", "payment.completed"]


def told(heard: Heard) -> tuple[str, str]:
    event = json.loads(heard.body)
    return event["data"]["id"], event["type"]
