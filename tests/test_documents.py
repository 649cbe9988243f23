"""Documents agree with the code: their tables and diagrams, and the files and names that they point at."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from embedded.home import CHECKOUT
from gateway.auth.scopes import MOVES_MONEY, SCOPES
from models import event
from models.rules.failure_codes import MESSAGES, Failure
from models.rules.state import TRANSITIONS, State
from models.user import Role
from tests.source_files import DOCS, PRODUCT, REST, SQL, calls, name_of, sources, tree
from workers.cli.app import app

FOLDERS = "gateway|workers|models|migrations|embedded|bench|deploy|docs|tests|clients"
SUFFIXES = "py|md|sql|sh|c|toml|json|ya?ml|html|acl|mako|conf|ini"
PATH = re.compile(
    rf"(?<![\w/.:$-])((?:{FOLDERS})/[\w/.*-]*\.(?:{SUFFIXES})|(?:{FOLDERS})/(?:[\w-]+/)*(?=`)"
    rf"|(?<=`)[\w*-]+\.(?:{SUFFIXES})(?=`))(?!\w)"
)
QUOTED = re.compile(r"`([^`\n]+)`")
ABSENT = {"stack.json", "tests/contract/node_modules/", "tests/x/test_y.py"}
"""Files that a running stack and `npm ci` write, and an example."""
PLACEHOLDERS = {"Schema.member"}


@cache
def files() -> dict[str, Path]:
    """Every file that can be pointed at, by its path from the top."""
    folders = [CHECKOUT / folder for folder in FOLDERS.split("|")]
    found = [
        path for folder in folders for path in folder.rglob("*") if not {"__pycache__", "node_modules"} & {*path.parts}
    ]
    return {name_of(path): path for path in [*CHECKOUT.glob("*.*"), CHECKOUT / "Makefile", *found] if path.is_file()}


def resolve(pointer: str, page: Path) -> list[Path]:
    """The files that a pointer means: by path from the top or from the page, by a unique end, or by a pattern."""
    if pointer.endswith("/"):
        return [CHECKOUT / pointer] if (CHECKOUT / pointer).is_dir() else []
    if "*" in pointer:
        return [path for name, path in files().items() if fnmatch(name, pointer) or fnmatch(path.name, pointer)]
    if (page.parent / pointer).is_file():
        return [page.parent / pointer]
    return [path for name, path in files().items() if name == pointer or name.endswith(f"/{pointer}")]


@cache
def definitions(path: Path) -> dict[str, set[str]]:
    """The names that a Python file defines, at any depth, each with the names inside of it."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree(path)):
        for name in _names(node):
            inner = found.setdefault(name, set())
            if isinstance(node, ast.ClassDef):
                inner.update(name for child in ast.iter_child_nodes(node) for name in _names(child))
    return found


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {n.attr if isinstance(n, ast.Attribute) else n.id for t in targets for n in ast.walk(t)
                if isinstance(n, ast.Attribute | ast.Name)}  # fmt: skip
    return {node.arg} if isinstance(node, ast.arg) else set()


@cache
def defined() -> dict[str, set[Path]]:
    """Where each name of the project is defined."""
    found: dict[str, set[Path]] = {}
    for path in sources(*PRODUCT, *REST, "tests"):
        for name in definitions(path):
            found.setdefault(name, set()).add(path)
    return found


@cache
def modules() -> dict[str, list[Path]]:
    """By the end of a module's dotted name: its files."""
    found: dict[str, list[Path]] = {}
    for path in sources(*PRODUCT, *REST, "tests"):
        parts = name_of(path).removesuffix("/__init__.py").removesuffix(".py").split("/")
        for start in range(len(parts)):
            found.setdefault(".".join(parts[start:]), []).append(path)
    return found


def texts(path: Path) -> Iterator[str]:
    """The text of a page, without its code blocks; or each docstring of a Python file."""
    if path.suffix != ".py":
        yield re.sub(r"^```.+?^```", "", path.read_text(), flags=re.M | re.S)
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


@cache
def schema() -> str:
    return "".join(path.read_text() for path in SQL)


def is_wrong_dotted(name: str) -> bool:
    """True if `module.name` or `Class.method` of this project does not exist; names of others are not judged."""
    first, _, last = name.rpartition(".")
    is_in_schema = name in schema() or (re.search(rf"\b{first}\b", schema()) and re.search(rf"\b{last}\b", schema()))
    if first in modules():
        known = any(last in definitions(path) for path in modules()[first])
        return not (known or name in modules() or last in SUFFIXES.split("|") or is_in_schema)
    owner = first.rpartition(".")[2]
    if owner in defined() and owner[:1].isupper():
        return name not in PLACEHOLDERS and not any(last in definitions(path)[owner] for path in defined()[owner])
    return False


def wrong_paths(text: str, page: Path) -> Iterator[str]:
    """Each path that leads nowhere, and each name beside a path that the file does not mention.

    Beside it is `name` in `path`, and each name of the project between a path and the end of the sentence or cell.
    """
    for match in PATH.finditer(text):
        found = resolve(match[1], page)
        if not found and match[1] not in ABSENT:
            yield match[1]
        python = "".join(path.read_text() for path in found if path.suffix == ".py")
        before = re.findall(r"`([A-Za-z_]\w*)(?:\(\))?` (?:in|of) `$", text[: match.start()])
        rest = re.split(r"\.\s|\n\n|\n[-|#]| \| |;\s", text[match.end() + 1 :], maxsplit=1)[0]
        after = QUOTED.findall(PATH.split(rest, maxsplit=1)[0])
        for name in [*before, *(name.removesuffix("()") for name in after if name.removesuffix("()") in defined())]:
            if python and not re.search(rf"\b{name}\b", python):
                yield f"{match[1]}: {name}"


def wrong_names(text: str) -> Iterator[str]:
    """Each quoted private name, test, `module.name` or `Class.method` that the project does not have."""
    for quoted in QUOTED.findall(text):
        name = quoted.removesuffix("()")
        if re.fullmatch(r"_[a-z]\w+|test_\w+", name):
            if name not in defined() and name not in modules():
                yield name
        elif (
            name not in event.NAMES and re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", name) and is_wrong_dotted(name)
        ):
            yield name


def wrong(text: str, page: Path) -> list[str]:
    return [*wrong_paths(text, page), *wrong_names(text)]


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_pointers_of_a_document_lead_somewhere(page: Path):
    assert [pointer for text in texts(page) for pointer in wrong(text, page)] == []


def test_pointers_of_docstrings_lead_somewhere():
    pages = sources(*PRODUCT, *REST)
    assert [f"{name_of(p)}: {pointer}" for p in pages for text in texts(p) for pointer in wrong(text, p)] == []


@pytest.mark.parametrize(
    "text",
    [
        "as gateway/showing.py does",
        "shaped by `gateway/showing.py`",
        "`_is_not_permitted` decides",
        "in `models/rules/posting.py` its case, in `_is_permitted`, comes first",
        "`TRANSITIONS` in `models/rules/money.py`",
        "calls `audit.scribble`",
        "`State.is_over` says so",
        "kept by `test_rule_13_nothing`",
        "a folder `gateway/views/` is no more",
    ],
)
def test_a_false_pointer_is_found(text: str):
    assert wrong(text, CHECKOUT / "README.md")


def test_cited_failures_are_in_the_catalogue():
    listed = re.findall(r"^\| (N\d\d) \|", (CHECKOUT / "docs/failures.md").read_text(), re.M)
    assert listed == [f"N{number:02}" for number in range(1, len(listed) + 1)], "number the rows of docs/failures.md"
    paths = [path for path in sources("tests", *PRODUCT) if path != Path(__file__)]
    cited = {f"N{number}" for path in paths for text in texts(path) for number in re.findall(r"\bN(\d\d)\b", text)}
    cited |= {f"N{n}" for p in paths for name in definitions(p) for n in re.findall(r"^test_n(\d\d)_", name)}
    assert cited, "no failure is cited: change this test"
    assert cited <= set(listed), "add a row to docs/failures.md"


def test_the_state_diagram_is_that_of_the_rules():
    diagram = (CHECKOUT / "docs/ARCHITECTURE.md").read_text().partition("stateDiagram-v2")[2].partition("```")[0]
    drawn = set(re.findall(r"^\s*(\S+) --> (\w+|\[\*\])", diagram, re.M))
    edges = {(state.value, target.value) for state, targets in TRANSITIONS.items() for target in targets}
    ends = {(state.value, "[*]") for state in State if state.is_final}
    draw = "draw the edges of TRANSITIONS in docs/ARCHITECTURE.md"
    assert drawn == edges | ends | {("[*]", "INITIATED")}, draw


def test_every_failure_code_is_documented():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| (yes|no) \|$", (CHECKOUT / "docs/errors.md").read_text(), re.M)
    assert rows == [(f.value, MESSAGES[f], "yes" if f.is_retryable else "no") for f in Failure], (
        "write the codes to docs/errors.md"
    )


def test_every_setting_is_documented():
    read = set()
    for path in sources("settings.py", "gateway/gunicorn_conf.py"):
        for name, call in calls(path):
            first = call.args[1:2] if name == "_words" else call.args[:1]
            if name in {"str", "int", "bool", "_words"} and first and isinstance(first[0], ast.Constant):
                read.add(first[0].value)
    documented = re.findall(r"^\| `([A-Z_]+)` \|", (CHECKOUT / "docs/settings.md").read_text(), re.M)
    assert sorted(documented) == sorted(read), "write a row for each setting to docs/settings.md"


def test_the_scopes_of_the_roles_are_documented():
    text = (CHECKOUT / "docs/scopes.md").read_text().partition("| scope | to | ")[2]
    roles = [cell.strip(" |") for cell in text.partition("\n")[0].split(" | ")]
    rows = re.findall(r"^\| `([a-z:-]+)` \| ([^|]+) \| (.+) \|$", text, re.M)
    ticks = {scope: dict(zip(roles, [c.strip() for c in cells.split("|")], strict=True)) for scope, _, cells in rows}
    ticked = {r: {s for s in ticks if ticks[s][r] == "yes"} for r in roles}
    assert ticked == {r.value: set(SCOPES[r]) for r in Role}, "write SCOPES to docs/scopes.md"
    assert {scope for scope, what, _ in rows if what.endswith("*")} == MOVES_MONEY, "mark what moves money"


DECISION_WORDS_MAX = 700
"""One page."""


def test_the_index_of_decisions_is_complete():
    records = sorted(path.name for path in (CHECKOUT / "docs/adr").glob("0*.md"))
    index = (CHECKOUT / "docs/adr/README.md").read_text()
    assert re.findall(r"\]\((\d{4}-[a-z-]+\.md)\)", index) == records, "link each record in docs/adr/README.md"
    assert len({record[:4] for record in records}) == len(records), "give each record a number of its own"
    for record in records:
        text = (CHECKOUT / "docs/adr" / record).read_text()
        assert text.startswith(f"# {int(record[:4])}. "), f"begin {record} with its number"
        status = f"{record}: write the status, its date, then the sections"
        assert re.match(r"# .+\n\nStatus: (accepted|superseded), \d{4}-\d\d-\d\d\.( .+)?\n\n## ", text), status
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Alternatives", "Consequences"], status
        assert len(text.split()) <= DECISION_WORDS_MAX, f"shorten {record} to {DECISION_WORDS_MAX} words"


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_a_decision_is_linked_by_its_own_number(path: Path):
    linked = re.findall(
        r"(?:\[(?:ADR )?|^\| )(\d+)(?:\]| \| \[[^\]]+\])\((?:adr/|docs/adr/)?(\d{4})-", path.read_text(), re.M
    )
    assert [(number, record) for number, record in linked if int(number) != int(record)] == [], (
        "link the record of that number"
    )


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_links_in_the_docs_lead_somewhere(path: Path):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == [], "no such file"


def test_commands_in_the_docs_exist():
    text = "\n".join(path.read_text() for path in DOCS)
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.M))
    made = set(re.findall(r"\bmake ([a-z-]+)\b(?=[`\s;,])", "\n".join(re.findall(r"`+[^`]*`+", text))))
    assert made, "no make command was found: change this test"
    assert made <= targets, "the Makefile has no such target"
    commands = re.findall(r"flask (books|payments|users|workers) ([a-z-]+)", text)
    assert commands, "no flask command was found: change this test"
    for group, command in commands:
        assert command in app.cli.commands[group].commands, f"there is no command flask {group} {command}"
