"""The upload of a bulk's lines, which goes on where it broke off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from payments_client.core import ClientCore
from payments_client.encoding import json_bytes
from payments_client.flows import Flow
from payments_client.models import Bulk
from payments_client.operations import call
from payments_client.requests import JSON_LINES

LINES = 1000
"""As many as the API stores at once."""


def upload(
    client: ClientCore,
    one: str,
    id: str,
    lines: Iterable[Mapping[str, Any]],
    close: bool,
    progress: Callable[[int], object] | None,
) -> Flow[Bulk]:
    """Add the lines that the bulk does not have, and close it; `one` is the kind of bulk in ids of operations."""
    bulk: Bulk = yield from call(client, (Bulk,), f"get_{one}", {"id": id})
    remaining = iter(lines)
    count = sum(1 for _ in islice(remaining, bulk.counts.lines))
    while chunk := b"".join(json_bytes(line) + b"\n" for line in islice(remaining, LINES)):
        given = {"id": id, "from": count + 1, "content": chunk, "content_type": JSON_LINES}
        bulk = yield from call(client, (Bulk,), f"add_{one}_lines", given)
        count += chunk.count(b"\n")
        if progress:
            progress(count)
    if close:  # a closed bulk is compared with the number of lines all the same
        bulk = yield from call(client, (Bulk,), f"close_{one}", {"id": id, "lines": count})
    return bulk
