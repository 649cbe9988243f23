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
from gateway.http.schemas import PageQuery, page_of
from gateway.lists.exports import CSV
from gateway.lists.pagination import paginated
from gateway.reconciliation.schemas import (
    DismissInput,
    MatchInput,
    ReconciliationSchema,
    StatementLineQuery,
    StatementLineSchema,
    UploadInput,
)
from gateway.reconciliation.statement_files import BYTES_MAX, XML, parser_for
from gateway.services import services
from models import audit, bank_statement, payment, reconciliation
from models.bank_statement import StatementLine
from models.reconciliation import StatementTooLarge, Upload
from models.rules.reconciliation import DETAILS, DismissCategory, LineProblem, MatchVerdict
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
        return bank_statement.body(earlier), REPLAYED
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
    with services().large_reads.turn(), transaction(services().engine) as connection:
        try:
            is_new = reconciliation.add(connection, new, parsed.lines, parsed.periods)
        except StatementTooLarge:
            raise invalid([("/lines", "invalid_value", "Too many payments of these days are missing.")]) from None
        statement = bank_statement.by_hash(connection, hash)
        if statement is None:
            raise Contention
        body = bank_statement.body(statement)
        if is_new:
            audit.note(connection, actor(), "reconciliations.upload", statement.id, after=body)
    return body, {} if is_new else REPLAYED


@reconciliations.route("")
@requires("ops:read")
@reconciliations.arguments(PageQuery, location="query")
@reconciliations.response(200, page_of(ReconciliationSchema))
def list_reconciliations(query: Body) -> JsonAnswer:
    """List bank statements, newest first, each with its number of lines per verdict and the age of its exceptions."""
    return paginated(query, bank_statement.statements, bank_statement.body)


@reconciliations.route("/<id>")
@requires("ops:read")
@reconciliations.response(200, ReconciliationSchema)
def get_reconciliation(id: str) -> JsonAnswer:
    """Show a bank statement, and its number of lines per verdict."""
    with statements(services().engine) as connection:
        return bank_statement.body(found(bank_statement.by_id(connection, path_id(id)))), {}


@reconciliations.route("/<id>/lines")
@requires("ops:read")
@reconciliations.arguments(StatementLineQuery, location="query")
@reconciliations.response(200, page_of(StatementLineSchema))
def list_lines(query: Body, id: str) -> JsonAnswer:
    """List the lines of a bank statement in their order, and then the payments that are missing in it."""
    with statements(services().engine) as connection:
        statement = found(bank_statement.by_id(connection, path_id(id)))
    filters = {"verdicts": query.get("verdict"), "ages": query.get("age")}
    return paginated(query, bank_statement.page, bank_statement.line_body, id=statement.id, **filters)


@reconciliations.route("/<id>/lines/<line>/match", methods=["POST"])
@requires("ops:reconciliations")
@reconciliations.arguments(MatchInput)
@reconciliations.response(200, StatementLineSchema)
def match(body: Body, id: str, line: str) -> JsonAnswer:
    """Match a line to a payment manually, or accept that a payment is missing in the statement."""
    with transaction(services().engine) as connection:
        before = _line(connection, id, line)
        if before.verdict in DECIDED:
            raise _problem(DECIDED[MatchVerdict(before.verdict)])
        if before.verdict in LACKING and before.payment_id != body["payment"]:
            raise invalid([("/payment", "invalid_value", "Must be the payment of this line.")])
        if not payment.states(connection, [body["payment"]]):
            raise invalid([("/payment", "not_found", "There is no such payment.")])
        if not bank_statement.match(connection, id, before.line, body["payment"], body["reason"], g.caller.id):
            raise _problem(DECIDED[MatchVerdict(_line(connection, id, line).verdict)])
        states = [bank_statement.line_body(state) for state in (before, _line(connection, id, line))]
        audit.note(connection, actor(), "reconciliations.match", f"{id}/{before.line}", body["reason"], *states)
    return states[1], {}


@reconciliations.route("/<id>/lines/<line>/dismiss", methods=["POST"])
@requires("ops:reconciliations")
@reconciliations.arguments(DismissInput)
@reconciliations.response(200, StatementLineSchema)
def dismiss(body: Body, id: str, line: str) -> JsonAnswer:
    """Put aside what the bank booked and no payment is, such as a fee, with its category and a reason."""
    with transaction(services().engine) as connection:
        before = _line(connection, id, line)
        category = DismissCategory(body["category"])
        after = bank_statement.dismiss(connection, id, before, category, actor(), body["reason"])
    if isinstance(after, LineProblem):
        raise _problem(after)
    return bank_statement.line_body(after), {}


LACKING = (MatchVerdict.MISSING_THERE, MatchVerdict.EXPECTED)
DECIDED = {MatchVerdict.MATCHED: LineProblem.MATCHED, MatchVerdict.DISMISSED: LineProblem.DISMISSED}


def _problem(problem: LineProblem) -> ApiError:
    return ApiError(problem.value, DETAILS[problem])


def _line(connection: Connection, id: str, number: str) -> StatementLine:
    """The line with that number; raises ApiError not_found."""
    if not _NUMBER.fullmatch(number):
        raise not_found()
    return found(bank_statement.line(connection, path_id(id), int(number)))
