"""The rules of the house (CONTRIBUTING.md) as tests, each under its number; then habits, docs and what is deployed."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import settings
from deploy import make_env
from gateway.auth.scopes import MOVES_MONEY, SCOPES
from gateway.http.errors import PROBLEMS
from models.rules.failure_codes import MESSAGES, Failure
from models.rules.state import TRANSITIONS, State
from models.user import Role
from tests.models.constraint_attacks import ATTACKS

HOUSE = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent
LINES_MAX = 300

PRODUCT = (
    "gateway",
    "workers",
    "models",
    "settings.py",
    "celery_config.py",
    "bell.py",
    "broker.py",
    "timetable.py",
    "logs.py",
    "wsgi.py",
)
REST = ("migrations", "embedded", "bench", "deploy")
ROUTES = sorted([*(HOUSE / "gateway").rglob("*routes.py"), HOUSE / "gateway/docs.py"])
SQL = sorted((HOUSE / "migrations" / "sql").rglob("*.sql"))
DOCS = [*sorted(HOUSE.glob("*.md")), *sorted((HOUSE / "docs").rglob("*.md"))]
SHELL = [HOUSE / ".ci" / "run", *HOUSE.glob("*/*.sh")]


def sources(*places: str) -> list[Path]:
    """The Python files of these folders and files, named from the top."""
    return sorted(
        path for place in places for path in [HOUSE / place, *(HOUSE / place).rglob("*.py")] if path.is_file()
    )


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def places(pattern: str, paths: list[Path], flags: int = 0) -> set[str]:
    """Where the pattern stands: file:line of the end of each match."""
    found = set()
    for path in paths:
        text = path.read_text()
        found |= {f"{name_of(path)}:{text.count(chr(10), 0, m.end()) + 1}" for m in re.finditer(pattern, text, flags)}
    return found


def files(found: set[str]) -> set[str]:
    return {place.partition(":")[0] for place in found}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the last part of the called name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", "")), node


def callers(paths: list[Path], *names: str) -> set[str]:
    return {f"{name_of(path)}:{node.lineno}" for path in paths for name, node in calls(path) if name in names}


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def run_tool(*command: str) -> None:
    """Run a tool of .venv in the checkout; fails with what it printed."""
    done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=HOUSE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# The twelve rules


def test_rule_1_only_the_ledger_writes_balances_and_operations():
    product = sources(*PRODUCT, "embedded", "deploy")
    assert files(places(r"(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+operations\b", product, re.I)) == {"models/ledger.py"}
    balances = r"UPDATE\s+accounts\b((?!\bWHERE\b).)*?\b(balance|held|last_seq)\s*="
    assert files(places(balances, product, re.I | re.S)) == {"models/ledger.py"}
    assigned = {
        f"{name_of(path)}:{node.lineno}"
        for path in sources(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in {"balance", "held"}
    }
    assert assigned == set()


def test_rule_2_refusals_come_before_the_only_write():
    functions = {f.name: f for f in tree(HOUSE / "models/ledger.py").body if isinstance(f, ast.FunctionDef)}
    writes = [n for n in ast.walk(functions["post"]) if isinstance(n, ast.Attribute) and n.attr == "run"]
    assert len(writes) == 1
    functions = {f.name: f for f in ast.walk(tree(HOUSE / "models/rules/posting.py")) if isinstance(f, ast.FunctionDef)}
    lines: dict[str, list[int]] = {"_failed": [], "_apply": []}
    for node in ast.walk(functions["verdict"]):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in lines:
            lines[node.func.id].append(node.lineno)
    assert max(lines["_failed"]) < min(lines["_apply"])


def test_rule_3_a_state_moves_along_an_edge_in_rules_and_schema_alike():
    edges = {(state.value, target.value) for state, targets in TRANSITIONS.items() for target in targets}
    guard = "".join(path.read_text() for path in SQL).partition("NOT IN (")[2].partition(") THEN")[0]
    assert set(re.findall(r"\('(\w+)', '(\w+)'\)", guard)) == edges
    moves = r"UPDATE\s+payments\b((?!\bWHERE\b|\bFROM\b).)*?\bstate\s*="
    assert files(places(moves, sources(*PRODUCT), re.S)) == {"models/ledger.py"}


def test_rule_4_only_session_ends_transactions():
    assert files(callers(sources(*PRODUCT, "embedded"), "commit", "rollback", "begin")) == {"models/session.py"}


def test_rule_5_a_message_is_a_bell_and_carries_nothing():
    assert callers(sources(*PRODUCT), "delay", "apply_async", "signature") == set()
    for path in sources(*PRODUCT):
        for name, call in calls(path):
            assert name != "send_task" or {k.arg for k in call.keywords}.isdisjoint({"args", "kwargs"})
    tasks = [f for f in tree(HOUSE / "workers/tasks.py").body if isinstance(f, ast.FunctionDef) and f.decorator_list]
    parameters = {task.name: {a.arg for a in task.args.args} - {"self"} for task in tasks if _is_task(task)}
    assert parameters
    assert not any(parameters.values()), parameters


def _is_task(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("app.task") for decorator in function.decorator_list)


def test_rule_6_locks_are_weak_and_taken_in_order():
    paths = [*sources(*PRODUCT), *SQL]
    assert places(r"\bFOR UPDATE\b", paths) == set()
    assert places(r"FOR (SHARE|KEY SHARE)", paths) == set()
    weak = places(r"FOR NO KEY UPDATE", paths)
    assert weak
    ids = r"(?:(?:due_at|hold_expires_at), )?(?:\w+\.)?(?:payment_)?id"
    assert places(rf"ORDER BY {ids}\s+(?:LIMIT \S+\s+)?FOR NO KEY UPDATE", paths) == weak


def test_rule_7_rules_know_the_standard_library_alone_and_no_clock():
    allowed = sys.stdlib_module_names - {"time", "random", "secrets", "os", "socket", "logging", "threading"}
    for path in sources("models/rules"):
        strange = {m for m in imported(path) if m.split(".")[0] not in allowed and not m.startswith("models.rules")}
        assert strange == set(), path
    assert callers(sources("models/rules"), "now", "today", "utcnow") == set()


def test_rule_8_no_float_and_no_silent_rounding_touches_money():
    rules = ("models/rules/money.py", "models/rules/posting.py", "models/rules/types.py")
    money = sources(*rules, "models/ledger.py", "models/account.py")
    for path in money:
        for node in ast.walk(tree(path)):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), (path, node.lineno)
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), (path, node.lineno)
            assert not (isinstance(node, ast.Name) and node.id in {"float", "round", "Decimal"}), (path, node.lineno)
    assert (
        places(r"\b(real|double precision|float\d?|money)\b(?=[ ,])", [p for p in SQL if "tables" in p.name]) == set()
    )


def test_rule_9_views_declare_and_one_table_answers_errors():
    declared = 0
    for path in ROUTES:
        for function in ast.walk(tree(path)):
            if not isinstance(function, ast.FunctionDef):
                continue
            decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
            if any(".route(" in d for d in decorators):
                declared += 1
                assert any(re.search(r"\.(response|outcome)\(", d) for d in decorators), function.name
                assert any(".arguments(" in d for d in decorators) or not any("POST" in d for d in decorators)
    assert declared
    assert callers(sources("gateway"), "abort") == set()
    for path in sources("gateway"):
        for name, call in calls(path):
            if name in {"Refusal", "Flaw"} and call.args and isinstance(call.args[0], ast.Constant):
                assert call.args[0].value in PROBLEMS, f"{name_of(path)}:{call.lineno}"


NEVER_FIRST = {"accounts_floor_is_bounded"}
"""Whatever breaks these breaks another constraint too, which speaks first."""


def test_rule_10_every_constraint_and_trigger_is_attacked_by_a_test():
    schema = "".join(path.read_text() for path in SQL if not path.name.startswith("down"))
    made = re.findall(r"(?<!DROP )\bCONSTRAINT (\w+)|\bCREATE TRIGGER (\w+) BEFORE|CONSTRAINT = '(\w+)'", schema)
    dropped = re.findall(r"\bDROP (?:CONSTRAINT|TRIGGER) (\w+)", schema)
    renamed = dict(re.findall(r"\bALTER TRIGGER (\w+) ON \w+ RENAME TO (\w+)", schema))
    names = (renamed.get(name, name) for group in made for name in group if name)
    standing = Counter(names) - Counter(dropped)
    tests = "".join(path.read_text() for path in (HOUSE / "tests").rglob("*.py"))
    stoppers = {stopper for attempt in ATTACKS.values() for stopper in attempt[1:]}
    attacked = {name for name in standing if name in stoppers or name in tests}
    assert standing.keys() - attacked <= NEVER_FIRST


def test_rule_11_bounds_are_named():
    bound = re.compile(r"timeout|limit|retries|_max|max_|size|interval")
    for path in sources("gateway", "workers", "models"):
        for name, call in calls(path):
            for keyword in call.keywords:
                literal = isinstance(keyword.value, ast.Constant) and type(keyword.value.value) in {int, float}
                assert not (literal and bound.search(keyword.arg or "") and keyword.value.value > 1), (
                    f"{name_of(path)}:{call.lineno} {name}({keyword.arg}=...)"
                )


def test_rule_12_every_rule_names_a_check_that_exists():
    text = (HOUSE / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (\d+) \|.*\| (.+) \|$", text, re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 13))
    tests = "".join(path.read_text() for path in (HOUSE / "tests").rglob("test_*.py"))
    for number, check in rows:
        names = re.findall(r"`(test_\w+)`", check)
        assert any(name.startswith(f"test_rule_{number}_") for name in names), check
        assert [name for name in names if f"def {name}(" not in tests] == []


# The habits


def test_import_contracts_are_kept():
    run_tool("lint-imports", "--no-logo", "--no-cache")


@pytest.mark.parametrize(
    ("module", "speakers"),
    [
        ("celery", {"celery_config.py", "timetable.py", "workers/signals.py"}),
        ("kombu", {"celery_config.py", "bell.py", "broker.py"}),
    ],
)
def test_only_celery_config_speaks_celery(module: str, speakers: set[str]):
    assert {
        name_of(p) for p in sources(*PRODUCT, "embedded") if any(m.split(".")[0] == module for m in imported(p))
    } == speakers


def test_a_file_tells_one_story():
    long = {name_of(p): n for p in sources(*PRODUCT, *REST) if (n := len(p.read_text().splitlines())) > LINES_MAX}
    assert long == {}


def test_what_is_public_says_what_it_is():
    silent = set()
    for path in sources(*PRODUCT, "embedded", "bench", "deploy"):
        if "peers" in path.parts:  # written as others write
            continue
        body = tree(path).body
        silent |= set() if not body or ast.get_docstring(tree(path)) else {name_of(path)}
        for node in body:
            named = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if named and node.name != "main" and not ast.get_docstring(node):
                silent.add(f"{name_of(path)}:{node.lineno} {node.name}")
    assert silent == set()


def test_what_decides_is_the_databases_clock():
    assert callers(sources("gateway", "workers", "models"), "now", "today", "utcnow") == set()


def test_the_environment_is_read_in_settings_alone():
    read = places(r"\bos\.environ\b|\bgetenv\(|\bEnv\(", sources(*PRODUCT))
    assert files(read) == {
        "settings.py",
        "gateway/gunicorn_conf.py",
    }  # gunicorn's own two are read where gunicorn reads


def test_tests_neither_sleep_nor_look_away():
    paths = [path for path in sources("tests") if path != Path(__file__)]
    assert callers(paths, "sleep", "skip", "skipif", "xfail", "importorskip") == set()
    assert places(r"mark\.(skip|xfail)|\bsqlite\b|unittest\.mock", paths) == set()


def test_nothing_is_left_undone():
    paths = [*sources(*PRODUCT, *REST), *SQL, *SHELL, *(p for p in DOCS if "adr" not in p.parts)]
    assert places(r"\b(TODO|FIXME|XXX)\b|^\s*print\(.*debug|\bbreakpoint\(", paths, re.M) == set()


def test_every_exception_from_the_linter_has_a_reason():
    for path in sources(*PRODUCT, *REST):
        text, codes = path.read_text(), {}
        for code, reason in re.findall(r"# noqa(?:: ([A-Z]+\d+))?(.*)", text):
            assert code, f"{name_of(path)}: a noqa without its code"
            codes[code] = codes.get(code, "") + reason.strip(" -")
        assert all(codes.values()), f"{name_of(path)}: {codes}"
    linting = (HOUSE / "pyproject.toml").read_text().partition("\nignore = [")[2].partition("[tool.mypy]")[0]
    silent = [line for line in linting.splitlines() if re.match(r'\s*"', line) and " # " not in line]
    assert silent == []


def test_every_make_target_has_a_help_line():
    text = (HOUSE / "Makefile").read_text()
    targets = dict(re.findall(r"^([a-z]+):(.*)$", text, re.M))
    helped = {name for name, rest in targets.items() if "## " in rest}
    needed = {word for rest in targets.values() for word in rest.partition("##")[0].split()}
    assert {"help", "run", "up", "down", "demo", "test", "check", "bench"} <= helped
    assert set(targets) - helped <= needed, "a target without help that no other needs"
    phony = re.search(r"^\.PHONY: (.*)$", text, re.M)
    assert phony
    assert set(phony[1].split()) == set(targets)


def test_shell_scripts_pass_shellcheck():
    run_tool("shellcheck", *map(str, SHELL))


# The docs


def test_the_state_diagram_is_that_of_the_rules():
    diagram = (HOUSE / "docs/ARCHITECTURE.md").read_text().partition("stateDiagram-v2")[2].partition("```")[0]
    drawn = set(re.findall(r"^\s*(\S+) --> (\w+|\[\*\])", diagram, re.M))
    edges = {(state.value, target.value) for state, targets in TRANSITIONS.items() for target in targets}
    ends = {(state.value, "[*]") for state in State if state.is_final}
    assert drawn == edges | ends | {("[*]", "INITIATED")}


def test_every_failure_code_is_documented():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| (yes|no) \|$", (HOUSE / "docs/errors.md").read_text(), re.M)
    assert rows == [(f.value, MESSAGES[f], "yes" if f.is_retryable else "no") for f in Failure]


def test_every_setting_is_documented():
    read = set()
    for path in sources("settings.py", "gateway/gunicorn_conf.py"):
        for name, call in calls(path):
            first = call.args[1:2] if name == "_words" else call.args[:1]
            if name in {"str", "int", "bool", "_words"} and first and isinstance(first[0], ast.Constant):
                read.add(first[0].value)
    documented = re.findall(r"^\| `([A-Z_]+)` \|", (HOUSE / "docs/settings.md").read_text(), re.M)
    assert sorted(documented) == sorted(read)


def test_the_scopes_of_the_roles_are_documented():
    text = (HOUSE / "docs/scopes.md").read_text().partition("| scope | to | ")[2]
    roles = [cell.strip(" |") for cell in text.partition("\n")[0].split(" | ")]
    rows = re.findall(r"^\| `([a-z:-]+)` \| ([^|]+) \| (.+) \|$", text, re.M)
    ticks = {scope: dict(zip(roles, [c.strip() for c in cells.split("|")], strict=True)) for scope, _, cells in rows}
    assert {r: {s for s in ticks if ticks[s][r] == "yes"} for r in roles} == {r.value: set(SCOPES[r]) for r in Role}
    assert {scope for scope, what, _ in rows if what.endswith("*")} == MOVES_MONEY


DECISION_WORDS_MAX = 700
"""One page."""


def test_the_index_of_decisions_is_complete():
    records = sorted(path.name for path in (HOUSE / "docs/adr").glob("0*.md"))
    index = (HOUSE / "docs/adr/README.md").read_text()
    assert re.findall(r"\]\((\d{4}-[a-z-]+\.md)\)", index) == records
    for position, record in enumerate(records, 1):
        text = (HOUSE / "docs/adr" / record).read_text()
        assert record.startswith(f"{position:04}-")
        assert text.startswith(f"# {position}. ")
        assert re.match(r"# .+\n\nStatus: (accepted|superseded), \d{4}-\d\d-\d\d\.( .+)?\n\n## ", text), record
        assert re.findall(r"^## (.+)$", text, re.M) == ["Context", "Decision", "Alternatives", "Consequences"], record
        assert len(text.split()) <= DECISION_WORDS_MAX, record


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_a_decision_is_linked_by_its_own_number(path: Path):
    linked = re.findall(
        r"(?:\[(?:ADR )?|^\| )(\d+)(?:\]| \| \[[^\]]+\])\((?:adr/|docs/adr/)?(\d{4})-", path.read_text(), re.M
    )
    assert [(number, record) for number, record in linked if int(number) != int(record)] == []


@pytest.mark.parametrize("path", DOCS, ids=name_of)
def test_links_in_the_docs_lead_somewhere(path: Path):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_commands_in_the_docs_exist():
    text = "\n".join(path.read_text() for path in DOCS)
    targets = set(re.findall(r"^([a-z]+):", (HOUSE / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=[`\s;,])", "\n".join(re.findall(r"`+[^`]*`+", text)))) <= targets
    from wsgi import app  # noqa: PLC0415 - starts the whole application

    for group, command in re.findall(r"flask (?:--app wsgi )?(books|payments|users|workers) ([a-z]+)", text):
        assert command in app.cli.commands[group].commands, f"flask {group} {command}"


# What is deployed


def test_the_compose_file_is_valid():
    run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_the_compose_file_has_no_default_secret_and_keeps_the_roles_apart():
    text = (HOUSE / "docker-compose.yml").read_text()
    insisted = set(re.findall(r"\$\{(\w+):\?", text))
    assert insisted == set(make_env.environment())
    given = re.findall(r"^#?(\w+)=(.*)$", (HOUSE / ".env.example").read_text(), re.M)
    assert {name for name, value in given if not value} == insisted
    assert {name for name, _ in given} == set(re.findall(r"\$\{(\w+):", text))
    services = dict(re.findall(r"^  (\w+):\n((?:    .*\n|\n)+)", text.partition("\nservices:\n")[2], re.M))
    processes = {"migrate", "gateway", "posting", "upkeep", "rails", "webhooks", "beat"}
    assert set(services) == processes | {"postgres", "valkey", "bank"}
    assert "environment: *" not in services["bank"], "it is told nothing of ours"
    owners = {name for name, body in services.items() if re.search(r"\bDATABASE_URL|OWNER_PASSWORD", body)}
    assert {name for name in owners if re.search(r"(?<!_)\bDATABASE_URL:|OWNER_PASSWORD", services[name])} == {
        "postgres",
        "migrate",
    }
    assert "WORKER" not in services["gateway"].replace("GATEWAY_WORKERS", "")
    assert all("healthcheck:" in body for body in services.values())


def test_the_passwords_of_a_new_environment_are_those_the_migration_sets():
    made = make_env.environment()
    url = f"postgresql://payments:{made['OWNER_PASSWORD']}@postgres/payments"
    assert made["WORKER_PASSWORD"] == settings.role_password(url, settings.WORKER_ROLE)
    assert made["GATEWAY_PASSWORD"] == settings.role_password(url, settings.GATEWAY_ROLE)
    assert make_env.environment()["OWNER_PASSWORD"] != made["OWNER_PASSWORD"]


def test_the_image_is_well_made():
    run_tool("hadolint", "Dockerfile")
    text = (HOUSE / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", text, re.M)
    kept = set(re.findall(r"^!(\S+)$", (HOUSE / ".dockerignore").read_text(), re.M))
    bank = {"embedded/__init__.py", "embedded/bank.py"}
    assert kept == {*PRODUCT, "migrations", "requirements.txt", "pyproject.toml", *bank}


def test_the_hooks_before_a_commit_fetch_nothing():
    run_tool("pre-commit", "validate-config", ".pre-commit-config.yaml")
    text = (HOUSE / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (\S+)", text) == ["local"]
    assert set(re.findall(r"language: (\S+)", text)) == {"system"}


def test_what_is_published_agrees_with_the_project_file():
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT"
    assert "the payments authors" in (HOUSE / "LICENSE").read_text()
    assert "## [Unreleased]" in (HOUSE / "CHANGELOG.md").read_text()
