"""No statement sorts by a column's text: `SELECT id::text … ORDER BY id` means the output, which no index orders."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from embedded.home import CHECKOUT

MODULES = sorted(path.stem for path in (CHECKOUT / "models").glob("*.py") if path.stem != "__init__")

AS_TEXT = re.compile(r"\b(?:\w+\.)?(\w+)::text\b(?!\s+AS\b)")
SORTED = re.compile(r"\bORDER BY ([^()]*?)(?=\bLIMIT\b|\bFOR\b|\bOFFSET\b|\)|$)", re.DOTALL)


def texts(module: ModuleType) -> Iterator[str]:
    """The string literals of the module, with the constants that they contain."""
    nodes = list(ast.walk(ast.parse(Path(module.__file__ or "").read_text())))
    joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in joined for part in node.values}
    yield from ("".join(_text(part, module) for part in node.values) for node in joined)
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def _text(part: ast.expr, module: ModuleType) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
        value = getattr(module, part.value.id, "")
        return value if isinstance(value, str) else ""
    return ""


def sorted_as_text(statement: str) -> set[str]:
    """The columns that are selected as text, and by whose bare names the last ORDER BY sorts."""
    outer = statement
    while (flat := re.sub(r"\([^()]*\)", "", outer)) != outer:  # what is in parentheses has outputs of its own
        outer = flat
    found = set()
    for part in re.split(r"\bUNION\b", outer):
        *_, names = ["", *SORTED.findall(part)]
        found |= set(AS_TEXT.findall(part)) & {name.split()[0] for name in names.split(",") if name.strip()}
    return found


@pytest.mark.parametrize("name", MODULES)
def test_no_statement_sorts_by_the_text_of_a_column(name: str) -> None:
    module = importlib.import_module(f"models.{name}")
    assert {text: found for text in texts(module) if (found := sorted_as_text(text))} == {}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT p.id::text, x FROM p ORDER BY due_at, id LIMIT 5", {"id"}),
        ("SELECT id::text FROM p ORDER BY id DESC", {"id"}),
        ("SELECT id::text FROM p ORDER BY p.id", set()),
        ("SELECT id::text AS name FROM p ORDER BY id", set()),
        ("SELECT a FROM (SELECT id::text FROM q) AS q ORDER BY id", set()),
        ("WITH due AS (SELECT id FROM p ORDER BY id) SELECT id::text FROM due", set()),
    ],
)
def test_sorting_by_text_is_found(statement: str, found: set[str]) -> None:
    assert sorted_as_text(statement) == found
