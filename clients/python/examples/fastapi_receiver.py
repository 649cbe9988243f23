"""Webhooks in FastAPI."""

import os

from fastapi import FastAPI, Request, Response

from payments_client import WebhookError, webhooks

app = FastAPI()
received: list[webhooks.WebhookEvent] = []


@app.post("/hook")
async def hook(request: Request) -> Response:
    """Take what is signed."""
    try:
        event = webhooks.verify(await request.body(), request.headers, os.environ["WEBHOOK_SECRETS"].split())
    except WebhookError:
        return Response(status_code=401)
    received.append(event)
    return Response(status_code=204)
