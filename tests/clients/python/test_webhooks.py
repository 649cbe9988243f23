"""Webhooks are believed only if they are signed, soon, with a secret of ours: held against the library of others."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payments_client import WebhookError, models, webhooks
from payments_client.webhooks import signature, verify
from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
AT = datetime(2026, 12, 3, 12, tzinfo=UTC)
NOW = AT.timestamp()
DATA = {"id": "7", "amount": "1.00"}
BODY = json.dumps({"id": "41", "type": "payment.completed", "version": 2, "data": DATA}).encode()


def headers(body: bytes = BODY, *secrets: str) -> dict[str, str]:
    signed = " ".join(Webhook(secret).sign("msg_1", AT, body.decode()) for secret in secrets or [SECRET])
    return {"Webhook-Id": "msg_1", "webhook-timestamp": str(int(NOW)), "WEBHOOK-SIGNATURE": signed}


def test_a_signed_webhook_is_its_event() -> None:
    event = verify(BODY, headers(), SECRET, now=NOW)
    assert (event.type, event.version, event.webhook_id) == ("payment.completed", 2, "msg_1")
    assert event.data.raw == DATA


@given(st.text(max_size=40))
def test_signatures_are_those_of_the_standard(text: str) -> None:
    body = json.dumps({"type": text}).encode()
    assert signature(body, "msg_1", str(int(NOW)), SECRET) == Webhook(SECRET).sign("msg_1", AT, body.decode())


def test_any_of_several_secrets_will_do() -> None:
    assert verify(BODY, headers(BODY, OTHER), [SECRET, OTHER], now=NOW).id == "41"
    assert verify(BODY, headers(BODY, OTHER, SECRET), [SECRET], now=NOW).id == "41"
    with pytest.raises(WebhookError):
        verify(BODY, headers(BODY, OTHER), SECRET, now=NOW)


@pytest.mark.parametrize("change", [{"Webhook-Id": "msg_2"}, {"webhook-timestamp": str(int(NOW) + 1)}])
def test_what_was_changed_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(WebhookError, match="no signature fits"):
        verify(BODY, headers() | change, SECRET, now=NOW)
    with pytest.raises(WebhookError, match="no signature fits"):
        verify(BODY + b" ", headers(), SECRET, now=NOW)


@pytest.mark.parametrize("age", [301, -301])
def test_what_is_old_or_of_the_future_is_refused(age: int) -> None:
    with pytest.raises(WebhookError, match="too long ago"):
        verify(BODY, headers(), SECRET, now=NOW + age)
    assert verify(BODY, headers(), SECRET, now=NOW + age, tolerance=400)
    with pytest.raises(WebhookError):
        verify(BODY, headers(), SECRET)


@pytest.mark.parametrize("name", ["Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE"])
def test_a_missing_header_is_refused(name: str) -> None:
    incomplete = headers()
    del incomplete[name]
    with pytest.raises(WebhookError, match="missing"):
        verify(BODY, incomplete, SECRET, now=NOW)


@pytest.mark.parametrize("body", [BODY.decode(), json.loads(BODY), bytearray(BODY), None])
def test_anything_but_bytes_is_a_type_error(body: Any) -> None:
    with pytest.raises(TypeError, match="bytes that were received"):
        verify(body, headers(), SECRET, now=NOW)


def test_a_secret_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="no secret"):
        verify(BODY, headers(), "whsec_?", now=NOW)


def test_the_module_is_part_of_the_package() -> None:
    assert issubclass(webhooks.WebhookEvent, models.Event)
