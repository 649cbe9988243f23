"""Objects read from JSON: exact, aware, and content with what they do not know."""

import copy
import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from payments_client import Client, NoAnswer, NotFound, PaymentFailed, StillPending, SyncPayment, models
from payments_client.model import Origin

PAYMENT = {
    "id": "01a1fdae-226a-714f-a962-93de759b9efc",
    "state": "COMPLETED",
    "amount": "12.50",
    "created_at": "2026-11-21T13:25:19.611308+00:00",
    "finalized_at": None,
    "failure": {"code": "new_code", "message": "Not known yet.", "retryable": True},
    "source": {"wallet": None, "name": "Alice", "last4": "OIXO"},
    "metadata": {"order": "7"},
    "colour": "blue",
}


def test_members_have_their_types() -> None:
    payment = models.Payment(PAYMENT)
    assert (payment.amount, payment.state) == (Decimal("12.50"), "COMPLETED")
    assert payment.created_at == datetime(2026, 11, 21, 13, 25, 19, 611308, tzinfo=UTC)
    assert (payment.finalized_at, payment.rate, payment.metadata) == (None, None, {"order": "7"})
    assert (payment.source.name, payment.source.wallet) == ("Alice", None)


def test_what_is_not_known_is_read_all_the_same() -> None:
    payment = models.Payment({**PAYMENT, "state": "FROZEN"})
    assert payment.state == "FROZEN"
    assert payment.failure is not None
    assert payment.failure.code == "new_code"
    assert payment.colour == "blue"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="Payment has no member 'color'"):
        payment.color  # type: ignore[attr-defined]  # noqa: B018


def test_an_object_knows_how_it_came() -> None:
    headers = {"etag": 'W/"3"', "request-id": "abc", "idempotent-replayed": "true"}
    payment = models.Payment(PAYMENT, Origin(idempotency_key="key", headers=headers))
    assert (payment.etag, payment.request_id, payment.idempotency_key) == ('W/"3"', "abc", "key")
    assert payment.origin.is_replayed
    own = models.AcceptingRequest({"request_id": "its own", "idempotency_key": None}, payment.origin)
    assert (own.request_id, own.idempotency_key) == ("its own", None)


def test_the_subject_of_an_event_is_told_by_its_members() -> None:
    event = models.Event({"id": "1", "type": "payment.completed", "data": PAYMENT})
    assert isinstance(event.data, models.Payment)
    bulk = {"id": "1", "state": "FAILED", "counts": {"lines": 1}, "total": "1.00", "currency": "EUR"}
    subject = models.Event({"id": "2", "type": "bulk.failed", "data": bulk}).data
    assert isinstance(subject, models.Bulk)
    assert subject.counts.lines == 1


def test_objects_and_errors_go_to_other_processes_without_the_token() -> None:
    payment = SyncPayment(PAYMENT, Origin(Client("http://x", "pay_secret"), "key", {"etag": "1"}))
    assert copy.deepcopy(payment).origin.client is payment.origin.client
    for error in (StillPending(payment), PaymentFailed(payment), NoAnswer("lost", "key"), NotFound(404, {}, {}, "key")):
        sent = pickle.dumps(error)
        assert b"pay_secret" not in sent
        received = pickle.loads(sent)
        assert (str(received), type(received)) == (str(error), type(error))
        assert getattr(received, "idempotency_key", "key") == "key"
    received = pickle.loads(pickle.dumps(payment))
    assert (received, received.idempotency_key, received.etag) == (payment, "key", "1")
    with pytest.raises(ValueError, match=r"client\.payments\.get"):
        received.wait()


def test_objects_are_copied_compared_and_shown() -> None:
    payment = models.Payment(PAYMENT)
    assert pickle.loads(pickle.dumps(payment)) == copy.deepcopy(payment) == payment
    assert payment != models.Payment({})
    assert repr(payment).startswith("Payment(id='01a1fdae")
    assert {payment, copy.copy(payment)} == {payment}
