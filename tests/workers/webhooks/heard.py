"""The events that a receiver was sent."""

import json

from tests.webhook_receiver import Heard

BOTH = ["payment.initiated", "payment.completed"]


def subject_and_type(heard: Heard) -> tuple[str, str]:
    """The id of the subject, and the type of the event."""
    event = json.loads(heard.body)
    return event["data"]["id"], event["type"]
