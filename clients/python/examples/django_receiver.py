"""Webhooks in Django: `path("hook", hook)` in your urls."""

import os

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments_client import WebhookError, webhooks

received: list[webhooks.WebhookEvent] = []


@csrf_exempt
@require_POST
def hook(request: HttpRequest) -> HttpResponse:
    """Take what is signed."""
    try:
        event = webhooks.verify(request.body, request.headers, os.environ["WEBHOOK_SECRETS"].split())
    except WebhookError:
        return HttpResponse(status=401)
    received.append(event)
    return HttpResponse(status=204)
