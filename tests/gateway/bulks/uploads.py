"""Lines of bulks as files, and their upload."""

import csv
import io
import json
from typing import Any

from werkzeug.test import TestResponse

from tests.gateway.harness import ApiUser

JSON_LINES, CSV = "application/x-ndjson", "text/csv"


OPEN = {"mode": "best_effort", "is_open": True}


def json_lines(sent_lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in sent_lines)


def table(sent_lines: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(sent_lines[0]))
    writer.writeheader()
    writer.writerows(sent_lines)
    return text.getvalue().encode()


def put(
    person: ApiUser, opened: TestResponse, data: bytes, query: str = "", media_type: str = JSON_LINES
) -> TestResponse:
    path = f"{opened.headers['Location']}/lines{query}"
    return person.call("PUT", path, data=data, content_type=media_type)


def close(person: ApiUser, opened: TestResponse) -> TestResponse:
    return person.call("POST", f"{opened.headers['Location']}/close", json={})
