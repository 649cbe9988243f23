"""Webhooks as a receiver takes them: verified before anything of them is used. Standard Webhooks 1.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from payments_client.errors import WebhookError
from payments_client.model import NOWHERE, Origin
from payments_client.models import Event

TOLERANCE_SECONDS = 300.0
"""What is older is refused, so that a recorded webhook cannot be sent again."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"


class WebhookEvent(Event):
    """An event that was sent to you. `webhook_id` is the same each time that it is sent: handle each id once."""

    __slots__ = ("webhook_id",)

    def __init__(self, raw: dict[str, Any], origin: Origin = NOWHERE, webhook_id: str = "") -> None:
        super().__init__(raw, origin)
        self.webhook_id = webhook_id


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> WebhookEvent:
    """The event of a webhook that is signed with one of your secrets, of which there are two while you change them.

    `body` is the body as it came, not JSON that was parsed and written again. Raises WebhookError if no signature
    fits, or if it was signed more than `tolerance` seconds ago or ahead; ValueError if a secret is none of ours.
    """
    if not isinstance(body, bytes):
        raise TypeError("the body must be the bytes that were received")
    known = {name.lower(): value for name, value in headers.items()}
    try:
        id, timestamp, signatures = known[ID], known[TIMESTAMP], known[SIGNATURE].split(" ")
        age = (time.time() if now is None else now) - int(timestamp)
    except (KeyError, ValueError):
        raise WebhookError("the headers of a webhook are missing or malformed") from None
    expected = [signature(body, id, timestamp, s) for s in ([secrets] if isinstance(secrets, str) else secrets)]
    pairs = [hmac.compare_digest(mine.encode(), theirs.encode()) for mine in expected for theirs in signatures]
    if not any(pairs):
        raise WebhookError("no signature fits")
    if abs(age) > tolerance:
        raise WebhookError("signed too long ago, or in the future")
    return WebhookEvent(json.loads(body), webhook_id=id)


def signature(body: bytes, id: str, timestamp: str, secret: str) -> str:
    """How a webhook is signed with a secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("this is no secret of a webhook endpoint") from None
    signed = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
