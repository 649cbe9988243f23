"""An invalid line of a CSV in a request is named by its pointer."""

import marshmallow as ma
import pytest

from gateway.http.csv_lines import cells
from gateway.http.errors import ApiError


def test_what_is_no_line_is_an_invalid_value() -> None:
    with pytest.raises(ma.ValidationError):
        cells(b'a,"never', "/lines/1")


def test_what_is_not_utf_8_is_named() -> None:
    with pytest.raises(ApiError) as caught:
        cells("é".encode("latin-1"), "/lines/7")
    [flaw] = caught.value.errors
    assert (caught.value.code, flaw["pointer"], flaw["code"]) == ("malformed_csv", "/lines/7", "malformed_csv")
