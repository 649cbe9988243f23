"""POST /v1/ops/payments/{id}/notes: what ops write down about a payment."""

from flask import Response

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer, JsonResponse, encode
from gateway.http.found import found, path_id
from gateway.ops.action_schemas import NoteInput, NoteSchema
from gateway.services import services
from models import payment_note, payment_view
from models.session import transaction

notes = Blueprint("notes", __name__, url_prefix="/v1/ops/payments", description="Notes about payments.")


@notes.route("/<id>/notes", methods=["POST"])
@requires("ops:notes")
@notes.arguments(NoteInput)
@notes.response(201, NoteSchema)
@notes.alt_response(200, schema=NoteSchema, description="You had written the same words before: this is that note.")
def add_note(body: Body, id: str) -> JsonAnswer | Response:
    """Write a note about a payment: it changes nothing, is kept in the audit log, and shown with the payment to ops."""
    with transaction(services().engine) as connection:
        view = found(payment_view.by_id(connection, path_id(id)))
        note, is_new = payment_note.add(connection, view.id, actor(), body["text"])
    if is_new:
        return payment_note.body(note), {}
    return JsonResponse(encode(payment_note.body(note)), 200, content_type="application/json")
