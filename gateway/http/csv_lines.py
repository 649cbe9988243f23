"""The cells of lines of a CSV in a request; an invalid one is named by its pointer."""

import marshmallow as ma

from gateway.http.errors import ApiError, FieldError, invalid
from models import csv_lines


def cells(text: bytes, pointer: str) -> list[str]:
    """The cells of a line; raises ValidationError, or ApiError if it is not UTF-8: then the file is invalid."""
    try:
        return csv_lines.cells(text)
    except csv_lines.NotUtf8:
        detail = "The body is not CSV in UTF-8."
        raise ApiError("malformed_csv", detail, invalid([(pointer, "malformed_csv", detail)]).errors) from None
    except csv_lines.InvalidLine:
        raise ma.ValidationError([FieldError("malformed_csv", "This is not a line of CSV.")]) from None
