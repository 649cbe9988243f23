"""Webhooks as the API sends them, for tests of receivers."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from payments_client.model import Model
from payments_client.webhooks import ID, SIGNATURE, TIMESTAMP, signature


def sign(
    event: Mapping[str, Any] | Model | bytes, secret: str, *, id: str | None = None, timestamp: float | None = None
) -> tuple[bytes, dict[str, str]]:
    """The body and headers of a webhook about the event, as an endpoint with this secret gets it."""
    raw = event.raw if isinstance(event, Model) else event
    body = raw if isinstance(raw, bytes) else json.dumps(raw, separators=(",", ":")).encode()
    at, name = str(int(time.time() if timestamp is None else timestamp)), id or str(uuid.uuid4())
    headers = {ID: name, TIMESTAMP: at, SIGNATURE: signature(body, name, at, secret)}
    return body, {"content-type": "application/json", **headers}
