"""/v1/ops/reconciliations: compare bank statements with payments line by line, and match lines manually."""

import hashlib
import re
from typing import cast

from flask import request

from gateway.auth.guards import actor, requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid, not_found
from gateway.http.found import found, path_id
from gateway.http.idempotency import REPLAYED
from gateway.http.parsing import StrictRequest, received, refuse_compressed, takes_up_to
from gateway.http.schemas import PageQuery, page_of
from gateway.lists.exports import CSV, JSON_LINES
from gateway.lists.pagination import paginated
from gateway.reconciliation.schemas import (
    DismissInput,
    LineMatchesSchema,
    MatchFileQuery,
    MatchInput,
    ReconciliationSchema,
    StatementLineQuery,
    StatementLineSchema,
    UploadInput,
)
from gateway.services import services
from models import bank_statement, match_file, statement_matches, statement_upload
from models.bank_statement import StatementLine
from models.match_file import InvalidMatchFile, UnreadMatch, WantedMatch
from models.reconciliation import StatementTooLarge
from models.rules.reconciliation import DETAILS, DismissCategory, LineProblem, MatchProblem
from models.session import Connection, statements, transaction, tried
from models.statement_file import BYTES_MAX, InvalidStatement, parse_camt053, parse_csv
from models.statement_upload import Parse

reconciliations = Blueprint(
    "reconciliations",
    __name__,
    url_prefix="/v1/ops/reconciliations",
    description="Comparing bank statements with payments; no money moves.",
)


XML = ("application/xml", "text/xml")

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
    parse, data = _parser(request.mimetype), received(cast(StrictRequest, request))
    hash, currencies = hashlib.sha256(data).digest(), services().reference_data.currencies()
    with statements(services().engine) as connection:
        earlier = bank_statement.by_hash(connection, hash)
    if earlier is not None:
        return bank_statement.body(earlier), REPLAYED
    try:
        parsed = parse(data, currencies)
        with services().large_reads.turn(), transaction(services().engine) as connection:
            statement, is_new = statement_upload.store(connection, hash, parsed, actor())
    except InvalidStatement as error:
        problem = invalid(error.errors)
        raise ApiError(error.code, error.detail, problem.errors) if error.code else problem from None
    except StatementTooLarge:
        raise invalid([("/lines", "invalid_value", "Too many payments of these days are missing.")]) from None
    return bank_statement.body(statement), {} if is_new else REPLAYED


def _parser(media_type: str) -> Parse:
    """The parser of files of this media type, which sets invalid lines aside; raises ApiError."""
    if media_type == CSV:
        return parse_csv
    if media_type in XML:
        return parse_camt053
    raise ApiError("unsupported_media_type", f"Send Content-Type: {CSV}, or {XML[0]} for camt.053.")


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
        after = bank_statement.match(connection, id, before, body["payment"], actor(), body["reason"])
    if isinstance(after, MatchProblem):
        raise invalid([("/payment", after.value, DETAILS[after])])
    if isinstance(after, LineProblem):
        raise _problem(after)
    return bank_statement.line_body(after), {}


@reconciliations.route("/<id>/lines/match", methods=["POST"])
@requires("ops:reconciliations")
@takes_up_to(match_file.BYTES_MAX)
@reconciliations.doc(requestBody={"required": True, "content": {CSV: FILE, JSON_LINES: FILE}})
@reconciliations.arguments(MatchFileQuery, location="query")
@reconciliations.response(200, LineMatchesSchema)
def match_lines(query: Body, id: str) -> JsonAnswer:
    """Match many lines to payments by one file, CSV or JSON Lines with `line`, `payment` and `reason`.

    Each line is matched or refused by itself, as if it were sent alone. The same file again leaves what it matched
    unchanged.
    """
    is_dry = query["dry_run"] == "true"
    lines = _wanted_matches(cast(StrictRequest, request))
    with services().large_reads.turn(), tried(services().engine, dry_run=is_dry) as connection:
        found(bank_statement.by_id(connection, path_id(id)))
        done = statement_matches.match_all(connection, id, lines, actor())
    return statement_matches.body(id, done, dry_run=is_dry), {}


def _wanted_matches(incoming: StrictRequest) -> list[WantedMatch | UnreadMatch]:
    """The lines of a file of matches; raises ApiError."""
    refuse_compressed(incoming)
    if incoming.mimetype not in (CSV, JSON_LINES):
        raise ApiError("unsupported_media_type", f"Send Content-Type: {CSV} or {JSON_LINES}.")
    try:
        return match_file.parse(received(incoming), is_csv=incoming.mimetype == CSV)
    except InvalidMatchFile as error:
        if error.pointer is None:
            raise ApiError(error.code, error.detail) from None
        raise invalid([(error.pointer, error.code, error.detail)]) from None


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


def _problem(problem: LineProblem) -> ApiError:
    return ApiError(problem.value, DETAILS[problem])


def _line(connection: Connection, id: str, number: str) -> StatementLine:
    """The line with that number; raises ApiError not_found."""
    if not _NUMBER.fullmatch(number):
        raise not_found()
    return found(bank_statement.line(connection, path_id(id), int(number)))
