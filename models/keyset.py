"""Keyset pages: the rows on one side of an id, in the order in which they are walked."""


def edge(before: str | None, after: str | None, column: str = "id", kind: str = "uuid") -> tuple[str, str]:
    """Condition and order of a page: newest first, before one id; or oldest first, after another.

    The id travels as parameter `edge`, `after or before`. The column is named with its table where a row shows it as
    text: ORDER BY would take the text.
    """
    if after:
        return f"{column} > %(edge)s::{kind}", f"{column} ASC"
    return (f"{column} < %(edge)s::{kind}" if before else "TRUE"), f"{column} DESC"
