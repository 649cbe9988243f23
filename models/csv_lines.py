"""CSV read line by line: a quoted line break belongs to its line, and an error in one line does not affect others."""

import csv
from collections import deque
from collections.abc import Iterator

BOM = b"\xef\xbb\xbf"

LINE_BYTES_MAX = 4 * 1024
"""Every text of a line at its maximum length in any script, and as much again for names and quotes."""

_BLANK = b' \t\r,"'
_UNENDED = "unexpected end of data"
"""The message of the csv module for a cell whose quotes are not closed."""


class InvalidLine(ValueError):
    """Raised for what is not a line of CSV."""


class NotUtf8(ValueError):
    """Raised for a line that is not UTF-8: then the whole file is no CSV."""


def lines(texts: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a CSV from pieces that were split at each line break; blank ones are left out.

    A cell whose quotes are not closed within LINE_BYTES_MAX ends with its piece: it spoils one line, not the others.
    """
    pending: deque[bytes] = deque()
    while (text := pending.popleft() if pending else next(texts, None)) is not None:
        whole, more = text, 0
        while (is_whole := _is_whole(whole)) is False and len(whole) <= LINE_BYTES_MAX:
            if more == len(pending):
                following = next(texts, None)
                if following is None:
                    break
                pending.append(following)
            whole += b"\n" + pending[more]
            more += 1
        if more and is_whole:
            text = whole
            for _ in range(more):
                pending.popleft()
        if text.strip(_BLANK):
            yield text


def cells(text: bytes) -> list[str]:
    """The cells of a line; raises InvalidLine or NotUtf8."""
    try:
        return next(csv.reader([text.decode()], strict=True), [])
    except UnicodeDecodeError:
        raise NotUtf8 from None
    except csv.Error:
        raise InvalidLine from None


def _is_whole(text: bytes) -> bool | None:
    """False if a quoted cell continues after the text, None if the text is invalid whatever follows."""
    if b'"' not in text:
        return True
    try:
        next(csv.reader([text.decode(errors="replace")], strict=True), [])
    except csv.Error as error:
        return False if str(error) == _UNENDED else None
    return True
