"""Bounded reader of ISO 20022 messages in XML: documents, texts and numbers."""

import io
import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"

NOT_PROVIDED = "NOTPROVIDED"
"""Placeholder for a missing end-to-end id."""

DEPTH_MAX = 32
"""The messages that are read here nest half as deep."""

ELEMENTS_MAX = 1_000_000
"""A file of many empty elements would otherwise take a hundred times its size in memory."""

_NUMBER = re.compile(r"\+?(?=\.?\d)0*(\d{0,18})(?:\.(\d{0,5}?)0*)?", re.ASCII)


class InvalidFile(ValueError):
    """Raised for an invalid file, with a message for people that has none of its content; `place` is the path."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


def document(data: bytes, messages: str) -> Element:
    """The root of an XML document whose namespace is that of one of the `messages` (a regular expression).

    Elements of that namespace lose it from their tags. Raises InvalidFile, also for any document type or entity.
    """
    root, namespace, depth, elements = None, "", 0, 0
    try:
        for event, element in iterparse(io.BytesIO(data), ("start", "end"), forbid_dtd=True):
            if event == "end":
                depth -= 1
                continue
            depth, elements = depth + 1, elements + 1
            if depth > DEPTH_MAX or elements > ELEMENTS_MAX:
                raise InvalidFile(f"More than {DEPTH_MAX} levels or {ELEMENTS_MAX} elements.")
            if root is None:
                root, namespace = element, element.tag.rpartition("Document")[0]
                if not re.fullmatch(rf"\{{{NAMESPACE}({messages})\}}", namespace):
                    raise InvalidFile("Not a document of the expected namespace.")
            element.tag = element.tag.removeprefix(namespace)
    except InvalidFile:
        raise
    except (ParseError, DefusedXmlException, LookupError, ValueError) as error:
        raise InvalidFile("Not well-formed XML, or with a document type.") from error
    if root is None:
        raise InvalidFile("Empty.")
    return root


def text(element: Element, *paths: str) -> str | None:
    """The text at the first of these paths that has any, with blanks folded."""
    return next((value for path in paths if (value := " ".join((element.findtext(path) or "").split()))), None)


def number(value: str) -> str | None:
    """A non-negative xs:decimal in its shortest form: 1.5 for +01.500; None for other text."""
    match = _NUMBER.fullmatch(value.strip())
    if match is None:
        return None
    whole, fraction = match[1] or "0", match[2]
    return f"{whole}.{fraction}" if fraction else whole
