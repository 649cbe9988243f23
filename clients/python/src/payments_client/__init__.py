"""A client of the payments API, blocking and async: `Client` and `AsyncClient`."""

from payments_client import models, webhooks
from payments_client._async_resources import AsyncClient
from payments_client._resources import Client
from payments_client.encoding import UNSET
from payments_client.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidRequest,
    NoAnswer,
    NotFound,
    PaymentFailed,
    PaymentsError,
    PreconditionFailed,
    RateLimited,
    ResponseError,
    ServerError,
    StillPending,
    Unauthorized,
    WebhookError,
)
from payments_client.operations import Page
from payments_client.payment import AsyncPayment, SyncPayment

__all__ = [
    "UNSET",
    "AsyncClient",
    "AsyncPayment",
    "BadRequest",
    "Client",
    "Conflict",
    "Forbidden",
    "InvalidRequest",
    "NoAnswer",
    "NotFound",
    "Page",
    "PaymentFailed",
    "PaymentsError",
    "PreconditionFailed",
    "RateLimited",
    "ResponseError",
    "ServerError",
    "StillPending",
    "SyncPayment",
    "Unauthorized",
    "WebhookError",
    "models",
    "webhooks",
]
