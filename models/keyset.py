"""Keyset pages: the rows on one side of an id, in the order in which they are walked."""

CREATED_FROM = "p.created_at >= %(created_from)s AND p.id >= uuid_floor(%(created_from)s - interval '1 day')"
CREATED_BEFORE = "p.created_at < %(created_before)s AND p.id < uuid_floor(%(created_before)s + interval '1 day')"
"""When a payment `p` was accepted; times bound its id too, a day wide, so that partitions prune."""


def edge(before: str | None, after: str | None, column: str = "id", kind: str = "uuid") -> tuple[str, str]:
    """Condition and order of a page: newest first, before one id; or oldest first, after another.

    The id travels as parameter `edge`, `after or before`. The column is named with its table where a row shows it as
    text: ORDER BY would take the text.
    """
    if after:
        return f"{column} > %(edge)s::{kind}", f"{column} ASC"
    return (f"{column} < %(edge)s::{kind}" if before else "TRUE"), f"{column} DESC"


def applying(fragments: dict[str, bool]) -> str:
    """The conditions that apply, as one."""
    return " AND ".join(fragment for fragment, applies in fragments.items() if applies) or "TRUE"
