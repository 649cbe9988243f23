"""Webhook events in the OpenAPI document, each described as an operation of the receiver."""

from typing import Any

from models.event import NAMES

SUBJECTS = {"payment": "Payment", "bulk": "Bulk", "webhook_endpoint": "Endpoint", "ping": "Endpoint"}
"""The schema of the subject of an event, by the first part of its name."""

TITLES = {
    "payment.initiated": "A payment was accepted",
    "payment.authorized": "A payment holds money and awaits the merchant or the bank",
    "payment.completed": "A payment moved its money",
    "payment.failed": "A payment moved no money, and never will",
    "payment.parked": "A payment was set aside for a person",
    "bulk.completed": "All lines of a bulk are COMPLETED",
    "bulk.partially_completed": "Some lines of a bulk are COMPLETED and some FAILED",
    "bulk.failed": "No line of a bulk moved money",
    "webhook_endpoint.disabled": "A webhook endpoint was disabled",
    "ping": "A test that you asked for",
}

HEADERS = {
    "webhook-id": "The same each time that this event is sent to this endpoint: process each id once.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "Signatures by Standard Webhooks 1.0, one per active secret: accept it only if one fits.",
}

DESCRIPTION = (
    "Respond with 2xx within 15 s; any other response except 410 is retried."
    " Events about the same payment or bulk are delivered in order."
)


def describe(document: dict[str, Any]) -> None:
    """Add the `webhooks` section, and a schema of the events of each subject, such as `PaymentEvent`."""
    schemas = document["components"]["schemas"]
    event = schemas["Event"]
    event_schemas = {subject: f"{subject}Event" for subject in dict.fromkeys(SUBJECTS.values())}
    for subject, event_schema in event_schemas.items():
        names = [name for name in NAMES if SUBJECTS[name.partition(".")[0]] == subject]
        typed = {"type": {**event["properties"]["type"], "enum": names}, "data": _reference(subject)}
        typed["data"]["description"] = event["properties"]["data"]["description"]
        schemas[event_schema] = {**event, "properties": {**event["properties"], **typed}}
    event["properties"]["data"] = {
        "description": event["properties"]["data"]["description"],
        "anyOf": [_reference(subject) for subject in event_schemas],
    }
    document["webhooks"] = {
        name: {"post": _operation(name, event_schemas[SUBJECTS[name.partition(".")[0]]])} for name in NAMES
    }


def _operation(name: str, schema: str) -> dict[str, Any]:
    return {
        "operationId": f"receive_{name.replace('.', '_')}",
        "summary": TITLES[name] + ".",
        "description": DESCRIPTION,
        "tags": ["Webhook endpoints"],
        "security": [],
        "parameters": [
            {"in": "header", "name": header, "required": True, "description": text, "schema": {"type": "string"}}
            for header, text in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(schema)}}},
        "responses": {
            "2XX": {"description": "Received."},
            "410": {"description": "Gone: the endpoint is disabled, nothing more is sent to it."},
        },
    }


def _reference(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}
