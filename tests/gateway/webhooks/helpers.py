"""Webhook endpoints created over HTTP, and deliveries as a worker writes them."""

from typing import Any

from uuid_utils import compat as uuids
from werkzeug.test import TestResponse

from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser

PATH = "/v1/webhook-endpoints"
URL = "https://8.8.8.8/hooks"
"""An IP address, so that no name is resolved; nothing is sent to it."""


def ask_for(person: ApiUser, **members: Any) -> TestResponse:
    """The answer to creating an endpoint."""
    return person.call("POST", PATH, json={"url": URL, "event_types": ["payment.*"], **members})


def endpoint(person: ApiUser, **members: Any) -> str:
    """The id of a new endpoint."""
    answer = ask_for(person, **members)
    assert answer.status_code == 201
    return answer.get_json()["id"]


def delivery(api: ApiHarness, endpoint_id: str, **columns: object) -> str:
    """The id of a delivery to the endpoint; `columns` are values as a worker leaves them."""
    id = str(uuids.uuid7())
    defaults = {"sequence": uuids.uuid7().int % 2**62, "name": "payment.completed", "subject_id": str(uuids.uuid7())}
    defaults |= {"version": 2, "occurred_at": "2026-11-01T12:00:00Z"}
    made = {"id": id, "endpoint_id": endpoint_id, **{name: columns.pop(name, defaults[name]) for name in defaults}}
    with transaction(api.worker) as connection:
        connection.exec_driver_sql(
            f"INSERT INTO webhook_deliveries ({', '.join(made)}) VALUES ({', '.join(['%s'] * len(made))})",
            tuple(made.values()),
        )
        if columns:
            assignments = ", ".join(f"{name} = %s" for name in columns)
            connection.exec_driver_sql(
                f"UPDATE webhook_deliveries SET {assignments} WHERE id = %s", (*columns.values(), id)
            )
    return id


def attempted(api: ApiHarness, id: str, *outcomes: tuple[int | None, str | None]) -> None:
    """Attempts as a worker records them."""
    with transaction(api.worker) as connection:
        for number, (status, error) in enumerate(outcomes, 1):
            connection.exec_driver_sql(
                "INSERT INTO webhook_attempts (delivery_id, attempt, status, error, milliseconds)"
                " VALUES (%s, %s, %s, %s, 12)",
                (id, number, status, error),
            )


def audited_changes(api: ApiHarness, id: str) -> list[tuple[str, Any, Any]]:
    """The audited actions on a target, with the state before and after."""
    return [(entry["action"], entry["before"], entry["after"]) for entry in api.audit_log(id)]


GIVEN_UP = {"state": "failed", "next_attempt_at": None, "finished_at": "2026-11-04T15:00:00Z", "attempts": 10}
GIVEN_UP |= {"tries_left": 0, "last_status": 500, "last_error": "status"}
DELIVERED = {**GIVEN_UP, "state": "delivered", "attempts": 1, "tries_left": 9, "last_status": 204, "last_error": None}
