"""A plain list in one call: the page that was asked for is read, and shown."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.http.blueprint import JsonAnswer
from gateway.lists import pagination
from gateway.services import services
from models.session import statements


def paginated(
    query: Mapping[str, Any],
    read: Callable[..., Sequence[Any]],
    show: Callable[[Any], dict[str, Any]],
    **filters: object,
) -> JsonAnswer:
    """Body and Link header of the page; `read` takes a connection, these filters, and limit, before and after."""
    at = pagination.decode_cursor(query)
    with statements(services().engine) as connection:
        rows = read(connection, limit=query["limit"] + 1, before=at.before, after=at.after, **filters)
    return pagination.page(query, at, rows, show)
