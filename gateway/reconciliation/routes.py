"""/v1/ops/reconciliations: compare bank statements with payments line by line, and match lines manually."""

import hashlib
import json
import re
from typing import cast

from flask import g, request
from uuid_utils import uuid7

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid, not_found
from gateway.http.found import found, path_id
from gateway.http.gevent_support import run_in_thread
from gateway.http.idempotency import REPLAYED
from gateway.http.parsing import StrictRequest, received, refuse_compressed, takes_up_to
from gateway.http.schemas import page_of
from gateway.lists.exports import CSV
from gateway.lists.pagination import paginated
from gateway.reconciliation.schemas import (
    MatchInput,
    ReconciliationSchema,
    StatementLineQuery,
    StatementLineSchema,
    UploadInput,
)
from gateway.reconciliation.statement_files import BYTES_MAX, XML, parser_for
from gateway.services import services
from models import audit, bank_statement, payment, reconciliation
from models.bank_statement import StatementLine, StatementRecord
from models.reconciliation import StatementTooLarge, Upload
from models.rules.money import render
from models.rules.reconciliation import MatchVerdict
from models.session import Connection, Contention, statements, transaction

reconciliations = Blueprint(
    "reconciliations",
    __name__,
    url_prefix="/v1/ops/reconciliations",
    description="Comparing bank statements with payments; no money moves.",
)


FILE = {"schema": {"type": "string"}}

_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


@reconciliations.route("", methods=["POST"])
@requires("ops:reconciliations")
@takes_up_to(BYTES_MAX)
@reconciliations.doc(requestBody={"required": True, "content": {CSV: FILE, XML[0]: FILE}})
@reconciliations.arguments(UploadInput, location="query")
@reconciliations.response(201, ReconciliationSchema)
def upload(_: Body) -> JsonAnswer:
    """Compare a bank statement, CSV or camt.053, with payments; the same file again returns the earlier result."""
    refuse_compressed(request)
    parse, data = parser_for(request.mimetype), received(cast(StrictRequest, request))
    hash, currencies = hashlib.sha256(data).digest(), services().reference_data.currencies()
    with statements(services().engine) as connection:
        earlier = bank_statement.by_hash(connection, hash)
    if earlier is not None:
        return _body(earlier), REPLAYED
    parsed = run_in_thread(parse, data, currencies)
    new = Upload(
        id=str(uuid7()),
        hash=hash,
        form=parsed.form,
        account=parsed.account,
        begins_on=parsed.begins_on,
        ends_on=parsed.ends_on,
        set_aside=json.dumps(parsed.set_aside),
        uploaded_by=g.caller.id,
    )
    with transaction(services().engine) as connection:
        try:
            is_new = reconciliation.add(connection, new, parsed.lines, parsed.periods)
        except StatementTooLarge:
            raise invalid([("/lines", "invalid_value", "Too many payments of these days are missing.")]) from None
        statement = bank_statement.by_hash(connection, hash)
        if statement is None:
            raise Contention
        body = _body(statement)
        if is_new:
            audit.note(connection, actor(), "reconciliations.upload", statement.id, after=body)
    return body, {} if is_new else REPLAYED


@reconciliations.route("/<id>")
@requires("ops:read")
@reconciliations.response(200, ReconciliationSchema)
def get_reconciliation(id: str) -> JsonAnswer:
    """Show a bank statement, and its number of lines per verdict."""
    with statements(services().engine) as connection:
        return _body(found(bank_statement.by_id(connection, path_id(id)))), {}


@reconciliations.route("/<id>/lines")
@requires("ops:read")
@reconciliations.arguments(StatementLineQuery, location="query")
@reconciliations.response(200, page_of(StatementLineSchema))
def list_lines(query: Body, id: str) -> JsonAnswer:
    """List the lines of a bank statement in their order, and then the payments that are missing in it."""
    with statements(services().engine) as connection:
        statement = found(bank_statement.by_id(connection, path_id(id)))
    return paginated(query, bank_statement.page, _line_body, id=statement.id, verdicts=query.get("verdict"))


@reconciliations.route("/<id>/lines/<line>/match", methods=["POST"])
@requires("ops:reconciliations")
@reconciliations.arguments(MatchInput)
@reconciliations.response(200, StatementLineSchema)
def match(body: Body, id: str, line: str) -> JsonAnswer:
    """Match a line to a payment manually, or accept that a payment is missing in the statement."""
    if not _NUMBER.fullmatch(line):
        raise not_found()
    with transaction(services().engine) as connection:
        before = _line(connection, found(bank_statement.by_id(connection, path_id(id))), int(line))
        if before.verdict == MatchVerdict.MATCHED:
            raise ApiError("line_matched", "The line is already matched to a payment.")
        if before.verdict == MatchVerdict.MISSING_THERE and before.payment_id != body["payment"]:
            raise invalid([("/payment", "invalid_value", "Must be the payment of this line.")])
        if not payment.states(connection, [body["payment"]]):
            raise invalid([("/payment", "not_found", "There is no such payment.")])
        if not bank_statement.match(connection, id, before.line, body["payment"], body["reason"], g.caller.id):
            raise ApiError("line_matched", "The line is already matched to a payment.")
        after = _line_body(_line(connection, found(bank_statement.by_id(connection, path_id(id))), before.line))
        target = f"{id}/{before.line}"
        audit.note(connection, actor(), "reconciliations.match", target, body["reason"], _line_body(before), after)
    return after, {}


def _line(connection: Connection, statement: StatementRecord, number: int) -> StatementLine:
    """The line with that number; raises ApiError not_found."""
    return found(bank_statement.line(connection, statement.id, number))


def _body(statement: StatementRecord) -> Body:
    return {
        "id": statement.id,
        "form": statement.form,
        "account": statement.account,
        "begins_on": statement.begins_on.isoformat(),
        "ends_on": statement.ends_on.isoformat(),
        "set_aside": statement.set_aside,
        "counts": {verdict.value: statement.counts.get(verdict, 0) for verdict in MatchVerdict},
        "uploaded_by": statement.uploaded_by,
        "created_at": statement.created_at.isoformat(),
    }


def _line_body(line: StatementLine) -> Body:
    return {
        "line": line.line,
        "account": line.account,
        "booked_on": line.booked_on.isoformat(),
        "direction": line.direction,
        "amount": render(line.amount, line.digits),
        "currency": line.currency,
        "end_to_end_id": line.end_to_end_id,
        "bank_reference": line.bank_reference,
        "description": line.description,
        "verdict": line.verdict,
        "difference": line.difference,
        "payment": line.payment_id,
        "match": line.matched_by
        and {
            "payment": line.matched_payment_id,
            "reason": line.match_reason,
            "matched_by": line.matched_by,
            "matched_at": line.matched_at and line.matched_at.isoformat(),
        },
    }
