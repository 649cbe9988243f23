"""Lines of an open bulk as a stream of JSON Lines or CSV: read in pieces, kept in chunks, resumed by line number."""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import marshmallow as ma
from flask import Request

import celery_config
from gateway.auth.tokens import Caller
from gateway.bulks.create import own
from gateway.bulks.lines import FORMS, LineErrors, Row, lines_of, refuse_referred, unfit
from gateway.bulks.schemas import LINES_MAX
from gateway.http import csv_lines
from gateway.http.access_log import REQUEST_ID
from gateway.http.csv_lines import BOM, LINE_BYTES_MAX, cells
from gateway.http.errors import ApiError, FieldError, invalid
from gateway.http.media_types import is_utf8
from gateway.http.parsing import decode, flatten, parse, refuse_compressed
from gateway.lists.exports import CSV, JSON_LINES
from gateway.services import Services
from models import bank_account, bulk
from models.bulk import Bulk, BulkKind, BulkMode, NewBulk
from models.rules.blanks import fold_blanks
from models.session import Connection, statements, transaction

UPLOAD_BYTES_MAX = 64 * 1024 * 1024
"""100,000 lines of some 600 bytes."""

PIECE_BYTES = 64 * 1024

IDS = ("wallet", "reference", "instruction_id", "end_to_end_id", "creditor_reference")
"""Cells in which blanks around what is pasted do not count."""

Reading = Callable[[bytes, str], Any]
"""What makes of a line, and the pointer to it, what it says."""


def upload(kind: BulkKind, id: str, first: int, request: Request, caller: Caller, ours: Services) -> Bulk:
    """Add the lines of the request's body, of which the first is number `first`; those that are there are skipped.

    So many as one request may order are kept together or, if one of them is wrong, refused together; the ApiError tells
    in `lines` how many there are then.
    """
    with statements(ours.engine) as connection:
        known = own(connection, kind, id, caller)
    if first > known.lines + 1 or not known.is_open:
        raise _refused(known)
    texts = _texts(request)
    reading = _reading(request.mimetype, texts)
    fresh = islice(texts, known.lines + 1 - first, None)
    while chunk := list(islice(fresh, LINES_MAX)):
        try:
            known = _add(known, _rows(kind, chunk, reading, known.lines), ours)
        except ApiError as refusal:
            refusal.members["lines"] = known.lines
            raise
        celery_config.ring(request.environ[REQUEST_ID])
    return known


def _add(known: Bulk, rows: list[Row], ours: Services) -> Bulk:
    currency = ours.reference_data.currency(known.currency)
    wire = ours.reference_data.technical("wire", currency.code).id if known.source_id else None
    head = NewBulk(
        *(known.id, BulkKind(known.kind), BulkMode(known.mode), known.user_id, known.currency),
        *(known.bank_account_id, known.source_id, known.target_id, wire, known.is_open),
    )
    with transaction(ours.engine) as connection:
        _refuse_inactive(connection, known.bank_account_id)
        lines = lines_of(connection, head, currency, rows, known.lines, known.total)
        kept = bulk.add(connection, head, known.lines, lines)
        if kept.lines is None:
            raise _refused(_again(connection, known))
        refuse_referred(connection, head, lines, kept, known.lines)
        return _again(connection, known)


def _refuse_inactive(connection: Connection, id: str | None) -> None:
    """Refuse what would be ordered by a bank account that has been put out of use."""
    organization = bank_account.by_id(connection, id) if id else None
    if organization is not None and not (organization.is_active and organization.is_payable):
        raise invalid([("", "account_inactive", "The bank account or its wallet is inactive.")])


def _again(connection: Connection, known: Bulk) -> Bulk:
    return bulk.by_id(connection, known.id) or known


def _refused(known: Bulk) -> ApiError:
    """Why it takes no such lines, or not here."""
    if not known.is_open:
        return ApiError("bulk_closed", "It was closed, or was never open.")
    return ApiError("bulk_out_of_step", f"Line {known.lines + 1} is next.", lines=known.lines)


def _rows(kind: BulkKind, chunk: list[bytes], reading: Reading, known: int) -> list[Row]:
    """The chunk's lines through the schema of the kind; raises ApiError that names each flaw."""
    member, schema = FORMS[kind].member, FORMS[kind].line()
    rows: list[Row] = []
    flaws: LineErrors = []
    for n, text in enumerate(chunk, known):
        place = f"/{member}/{n}"
        try:
            if len(text) > LINE_BYTES_MAX:
                raise ma.ValidationError([FieldError("text_too_long", f"A line has at most {LINE_BYTES_MAX} bytes.")])
            rows.append(schema.load(reading(text, place)))
        except ma.ValidationError as error:
            flaws += flatten(error.messages, place)
        except ApiError as refusal:
            if refusal.errors:  # it is the file that cannot be read on
                raise
            flaws.append((place, refusal.code, refusal.detail))
    if flaws:
        raise unfit(flaws)
    return rows


def _reading(media_type: str, texts: Iterator[bytes]) -> Reading:
    """How a line is read; of CSV the first one names the members, and an empty cell is none."""
    if media_type == JSON_LINES:
        return lambda text, _: parse(decode(text))
    try:
        names = [name.strip() for name in cells(next(texts, b""), "")]
    except ma.ValidationError:
        raise unfit([("", "invalid_value", "The first line names the members.")]) from None
    if len(set(names)) != len(names):  # else the last of two amounts would count
        raise unfit([("", "invalid_value", "The first line names a member twice.")])

    def reading(text: bytes, pointer: str) -> Row:
        given = cells(text, pointer)
        if len(given) != len(names):
            raise ma.ValidationError([FieldError("invalid_value", f"The first line names {len(names)} cells.")])
        trimmed = (fold_blanks(cell) if name in IDS else cell for name, cell in zip(names, given, strict=True))
        return {name: cell for name, cell in zip(names, trimmed, strict=True) if cell}

    return reading


def _texts(request: Request) -> Iterator[bytes]:
    """The lines of the body, without blank ones; raises ApiError if it is of another form, or breaks off."""
    refuse_compressed(request)
    charset = request.mimetype_params.get("charset", "utf-8")
    if request.mimetype not in (CSV, JSON_LINES) or not is_utf8(charset):
        raise ApiError("unsupported_media_type", f"Send Content-Type: {CSV} or {JSON_LINES}.")
    texts = _split(request)
    first = next(texts).removeprefix(BOM)
    texts = chain([first], texts)
    return csv_lines.lines(texts) if request.mimetype == CSV else (text for text in texts if text.strip())


def _split(request: Request) -> Iterator[bytes]:
    """One that is too long is given as far as it was read, and is the last: whoever reads it refuses it."""
    rest, received = b"", 0
    while piece := request.stream.read(PIECE_BYTES):
        received += len(piece)
        if received > UPLOAD_BYTES_MAX:
            raise ApiError("body_too_large", f"At most {UPLOAD_BYTES_MAX} bytes.")
        *texts, rest = (rest + piece).split(b"\n")
        yield from texts
        if len(rest) > LINE_BYTES_MAX:
            break
    if received < (request.content_length or 0) and len(rest) <= LINE_BYTES_MAX:
        raise ApiError("bad_request", "The body ended before it was complete.")
    yield rest
