"""Webhooks in Flask."""

import os

from flask import Flask, request

from payments_client import WebhookError, webhooks

app = Flask(__name__)
received: list[webhooks.WebhookEvent] = []
"""In a shop of yours: an inbox, as in inbox.py."""


@app.post("/hook")
def hook() -> tuple[str, int]:
    """Take what is signed."""
    try:
        event = webhooks.verify(request.get_data(), request.headers, os.environ["WEBHOOK_SECRETS"].split())
    except WebhookError:
        return "", 401
    received.append(event)
    return "", 204
