"""Keyset pagination: the rows on one side of an id, in page order."""

CREATED_FROM = "p.created_at >= %(created_from)s AND p.id >= uuid_floor(%(created_from)s - interval '1 day')"
CREATED_BEFORE = "p.created_at < %(created_before)s AND p.id < uuid_floor(%(created_before)s + interval '1 day')"
"""Bounds on the acceptance time of a payment `p`; the id is bounded too, with a day's slack, to prune partitions."""


def edge(before: str | None, after: str | None, column: str = "id", kind: str = "uuid") -> tuple[str, str]:
    """Condition and order of a page: newest first before one id, or oldest first after another.

    The id is passed as parameter `edge` (`after or before`). Qualify the column with its table where the row selects
    it as text, or ORDER BY would sort by that text.
    """
    if after:
        return f"{column} > %(edge)s::{kind}", f"{column} ASC"
    return (f"{column} < %(edge)s::{kind}" if before else "TRUE"), f"{column} DESC"


def applying(fragments: dict[str, bool]) -> str:
    """Join the conditions that apply by AND."""
    return " AND ".join(fragment for fragment, applies in fragments.items() if applies) or "TRUE"
