"""Uploads lines to an open bulk as JSON Lines or CSV: streamed, stored in chunks, and resumed by line number."""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import marshmallow as ma
from flask import Request

import bell
from gateway.auth.tokens import Caller
from gateway.bulks.create import own
from gateway.bulks.lines import LINE_SHAPES, LineErrors, Row, build_lines, invalid_bulk, refuse_used_references
from gateway.bulks.schemas import LINES_MAX
from gateway.http.access_log import REQUEST_ID
from gateway.http.csv_lines import cells
from gateway.http.errors import ApiError, FieldError, invalid
from gateway.http.media_types import is_utf8
from gateway.http.parsing import decode, flatten, parse, refuse_compressed
from gateway.lists.exports import CSV, JSON_LINES
from gateway.services import Services
from models import bank_account, bulk, csv_lines
from models.bulk import Bulk, BulkKind, BulkMode, NewBulk
from models.csv_lines import BOM, LINE_BYTES_MAX
from models.rules.blanks import fold_blanks
from models.session import Connection, statements, transaction

UPLOAD_BYTES_MAX = 64 * 1024 * 1024
"""100,000 lines of about 600 bytes."""

BLOCK_BYTES = 64 * 1024

TRIMMED = ("wallet", "reference", "instruction_id", "end_to_end_id", "creditor_reference")
"""Members of CSV whose surrounding blanks are removed, since they are often pasted."""

LineReader = Callable[[bytes, str], Any]
"""Reads a line, given its JSON pointer for errors."""


def upload(kind: BulkKind, id: str, first: int, request: Request, caller: Caller, services: Services) -> Bulk:
    """Add the lines of the request's body, the first of which has the number `first`; lines stored before are skipped.

    Each chunk of LINES_MAX lines is stored, or refused if one of them is wrong, as a whole. The ApiError has the number
    of lines stored by then as `lines`.
    """
    with statements(services.engine) as connection:
        open_bulk = own(connection, kind, id, caller)
    if first > open_bulk.lines + 1 or not open_bulk.is_open:
        raise _refusal(open_bulk)
    texts = _texts(request)
    read_line = _line_reader(request.mimetype, texts)
    new_texts = islice(texts, open_bulk.lines + 1 - first, None)
    while chunk := list(islice(new_texts, LINES_MAX)):
        try:
            open_bulk = _add(open_bulk, _rows(kind, chunk, read_line, open_bulk.lines), services)
        except ApiError as refusal:
            refusal.members["lines"] = open_bulk.lines
            raise
        bell.ring(request.environ[REQUEST_ID])
    return open_bulk


def _add(open_bulk: Bulk, rows: list[Row], services: Services) -> Bulk:
    services.backpressure.refuse()
    currency = services.reference_data.currency(open_bulk.currency)
    wire = services.reference_data.technical("wire", currency.code).id if open_bulk.source_id else None
    new_bulk = NewBulk(
        *(open_bulk.id, BulkKind(open_bulk.kind), BulkMode(open_bulk.mode), open_bulk.user_id, open_bulk.currency),
        *(open_bulk.bank_account_id, open_bulk.source_id, open_bulk.target_id, wire, open_bulk.is_open),
    )
    with transaction(services.engine) as connection:
        _refuse_inactive(connection, open_bulk.bank_account_id)
        lines = build_lines(connection, new_bulk, currency, rows, open_bulk.lines, open_bulk.total)
        record = bulk.add(connection, new_bulk, open_bulk.lines, lines)
        if record.lines is None:
            raise _refusal(_reread(connection, open_bulk))
        refuse_used_references(connection, new_bulk, lines, record, open_bulk.lines)
        return _reread(connection, open_bulk)


def _refuse_inactive(connection: Connection, id: str | None) -> None:
    """Refuse lines that an inactive bank account would pay."""
    organization = bank_account.by_id(connection, id) if id else None
    if organization is not None and not (organization.is_active and organization.is_payable):
        raise invalid([("", "account_inactive", "The bank account or its wallet is inactive.")])


def _reread(connection: Connection, open_bulk: Bulk) -> Bulk:
    return bulk.by_id(connection, open_bulk.id) or open_bulk


def _refusal(open_bulk: Bulk) -> ApiError:
    """The error for lines that cannot be added, or not with this number."""
    if not open_bulk.is_open:
        return ApiError("bulk_closed", "The bulk is closed, or was never open.")
    return ApiError("bulk_out_of_step", f"Line {open_bulk.lines + 1} is next.", lines=open_bulk.lines)


def _rows(kind: BulkKind, chunk: list[bytes], read_line: LineReader, start: int) -> list[Row]:
    """The lines of a chunk, validated; raises an ApiError that names every error."""
    member, schema = LINE_SHAPES[kind].member, LINE_SHAPES[kind].schema()
    rows: list[Row] = []
    errors: LineErrors = []
    for n, text in enumerate(chunk, start):
        pointer = f"/{member}/{n}"
        try:
            if len(text) > LINE_BYTES_MAX:
                raise ma.ValidationError([FieldError("text_too_long", f"A line has at most {LINE_BYTES_MAX} bytes.")])
            rows.append(schema.load(read_line(text, pointer)))
        except ma.ValidationError as error:
            errors += flatten(error.messages, pointer)
        except ApiError as refusal:
            if refusal.errors:  # the rest of the file cannot be read
                raise
            errors.append((pointer, refusal.code, refusal.detail))
    if errors:
        raise invalid_bulk(errors)
    return rows


def _line_reader(media_type: str, texts: Iterator[bytes]) -> LineReader:
    """The reader for the media type; the first line of CSV names the members, and an empty cell is left out."""
    if media_type == JSON_LINES:
        return lambda text, _: parse(decode(text))
    try:
        names = [name.strip() for name in cells(next(texts, b""), "")]
    except ma.ValidationError:
        raise invalid_bulk([("", "invalid_value", "The first line names the members.")]) from None
    if len(set(names)) != len(names):  # otherwise the last of two amounts would be taken
        raise invalid_bulk([("", "invalid_value", "The first line names a member twice.")])

    def read_line(text: bytes, pointer: str) -> Row:
        values = cells(text, pointer)
        if len(values) != len(names):
            raise ma.ValidationError([FieldError("invalid_value", f"The first line names {len(names)} cells.")])
        trimmed = (fold_blanks(cell) if name in TRIMMED else cell for name, cell in zip(names, values, strict=True))
        return {name: cell for name, cell in zip(names, trimmed, strict=True) if cell}

    return read_line


def _texts(request: Request) -> Iterator[bytes]:
    """The lines of the body that are not blank; raises ApiError for another media type, or a body that breaks off."""
    refuse_compressed(request)
    charset = request.mimetype_params.get("charset", "utf-8")
    if request.mimetype not in (CSV, JSON_LINES) or not is_utf8(charset):
        raise ApiError("unsupported_media_type", f"Send Content-Type: {CSV} or {JSON_LINES}.")
    texts = _split(request)
    first = next(texts).removeprefix(BOM)
    texts = chain([first], texts)
    return csv_lines.lines(texts) if request.mimetype == CSV else (text for text in texts if text.strip())


def _split(request: Request) -> Iterator[bytes]:
    """The body split at line ends; a line that is too long is cut off and comes last, for the reader to refuse."""
    rest, received = b"", 0
    while block := request.stream.read(BLOCK_BYTES):
        received += len(block)
        if received > UPLOAD_BYTES_MAX:
            raise ApiError("body_too_large", f"At most {UPLOAD_BYTES_MAX} bytes.")
        *texts, rest = (rest + block).split(b"\n")
        yield from texts
        if len(rest) > LINE_BYTES_MAX:
            break
    if received < (request.content_length or 0) and len(rest) <= LINE_BYTES_MAX:
        raise ApiError("bad_request", "The body ended before it was complete.")
    yield rest
