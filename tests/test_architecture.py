"""The twelve rules of CONTRIBUTING.md as tests, each under its number; then the habits of the code."""

import ast
import re
import sys
from collections import Counter

import pytest

from embedded.home import CHECKOUT
from gateway.http.errors import PROBLEMS
from models.rules.state import TRANSITIONS
from tests.models.constraint_attacks import ATTACKS
from tests.source_files import (
    DOCS,
    GENERATED,
    PRODUCT,
    REST,
    ROUTES,
    SHELL,
    SQL,
    callers,
    calls,
    files,
    imported,
    name_of,
    places,
    run_tool,
    sources,
    tree,
)

LINES_MAX = 300

# The twelve rules


def test_rule_1_only_the_ledger_writes_balances_and_operations():
    only = "only models/ledger.py may write this: call ledger.post"
    product = sources(*PRODUCT, "embedded", "deploy")
    writes = r"(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+operations\b"
    assert files(places(writes, product, re.I)) == {"models/ledger.py"}, only
    balances = r"UPDATE\s+accounts\b((?!\bWHERE\b).)*?\b(balance|held|last_seq)\s*="
    assert files(places(balances, product, re.I | re.S)) == {"models/ledger.py"}, only
    assigned = {
        f"{name_of(path)}:{node.lineno}"
        for path in sources(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in {"balance", "held"}
    }
    assert assigned == set(), only


def test_rule_2_refusals_come_before_the_only_write():
    functions = {f.name: f for f in tree(CHECKOUT / "models/ledger.py").body if isinstance(f, ast.FunctionDef)}
    writes = [n for n in ast.walk(functions["post"]) if isinstance(n, ast.Attribute) and n.attr == "run"]
    assert len(writes) == 1, "ledger.post writes a batch by one statement"
    rules = tree(CHECKOUT / "models/rules/posting.py")
    functions = {f.name: f for f in ast.walk(rules) if isinstance(f, ast.FunctionDef)}
    lines: dict[str, list[int]] = {"_failed": [], "_apply": []}
    for node in ast.walk(functions["verdict"]):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in lines:
            lines[node.func.id].append(node.lineno)
    assert max(lines["_failed"]) < min(lines["_apply"]), "in `verdict` of rules/posting.py, refuse before _apply"


def test_rule_3_a_state_moves_along_an_edge_in_rules_and_schema():
    edges = {(state.value, target.value) for state, targets in TRANSITIONS.items() for target in targets}
    guard = "".join(path.read_text() for path in SQL).partition("NOT IN (")[2].partition(") THEN")[0]
    assert set(re.findall(r"\('(\w+)', '(\w+)'\)", guard)) == edges, "TRANSITIONS and the trigger name the same edges"
    moves = r"UPDATE\s+payments\b((?!\bWHERE\b|\bFROM\b).)*?\bstate\s*="
    only = "only models/ledger.py may change a state"
    assert files(places(moves, sources(*PRODUCT), re.S)) == {"models/ledger.py"}, only


def test_rule_4_only_session_ends_transactions():
    found = files(callers(sources(*PRODUCT, "embedded"), "commit", "rollback", "begin"))
    assert found == {"models/session.py"}, "use models.session.transaction instead of commit, rollback or begin"


def test_rule_5_a_message_is_a_bell_and_carries_nothing():
    sent = callers(sources(*PRODUCT), "delay", "apply_async", "signature")
    assert sent == set(), "ring a bell instead of sending a task"
    for path in sources(*PRODUCT):
        for name, call in calls(path):
            is_empty = name != "send_task" or {k.arg for k in call.keywords}.isdisjoint({"args", "kwargs"})
            assert is_empty, f"{name_of(path)}:{call.lineno}: a message carries no arguments; write a row"
    tasks = [f for f in tree(CHECKOUT / "workers/tasks.py").body if isinstance(f, ast.FunctionDef) and f.decorator_list]
    parameters = {task.name: {a.arg for a in task.args.args} - {"self"} for task in tasks if _is_task(task)}
    assert parameters, "no task was found: change this test"
    assert not any(parameters.values()), f"a task takes no parameters; let it read a row: {parameters}"


def _is_task(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("_exclusive(") for decorator in function.decorator_list)


def test_rule_6_locks_are_weak_and_taken_in_order():
    paths = [*sources(*PRODUCT), *SQL]
    weaker = "lock by FOR NO KEY UPDATE"
    assert places(r"\bFOR UPDATE\b", paths) == set(), weaker
    assert places(r"FOR (SHARE|KEY SHARE)", paths) == set(), weaker
    locks = places(r"FOR NO KEY UPDATE", paths)
    assert locks, "no lock was found: change this test"
    ids = r"(?:(?:\w+\.)?(?:due_at|hold_expires_at), )?(?:\w+\.)?(?:(?:payment_)?id|line)"
    ordered = places(rf"ORDER BY {ids}\s+(?:LIMIT \S+\s+)?FOR NO KEY UPDATE", paths)
    assert ordered == locks, "lock in the order of ids, or of lines: ORDER BY id before FOR NO KEY UPDATE"


def test_rule_7_rules_know_the_standard_library_and_no_clock():
    allowed = sys.stdlib_module_names - {"time", "random", "secrets", "os", "socket", "logging", "threading"}
    for path in sources("models/rules"):
        strange = {m for m in imported(path) if m.split(".")[0] not in allowed and not m.startswith("models.rules")}
        assert strange == set(), f"{name_of(path)}: pass the value to the rule as a parameter"
    clocks = callers(sources("models/rules"), "now", "today", "utcnow")
    assert clocks == set(), "pass the time to the rule as a parameter"


def test_rule_8_no_float_and_no_silent_rounding_touches_money():
    rules = ("money", "posting", "types", "commission", "exchange", "charge_limits")
    for path in sources(*(f"models/rules/{name}.py" for name in rules), "models/ledger.py", "models/account.py"):
        for node in ast.walk(tree(path)):
            is_float = isinstance(node, ast.Constant) and isinstance(node.value, float)
            is_divided = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            is_rounded = isinstance(node, ast.Name) and node.id in {"float", "round", "Decimal"}
            is_inexact = is_float or is_divided or is_rounded
            assert not is_inexact, f"{name_of(path)}:{node.lineno}: count whole minor units, and divide by //"
    columns = places(r"^\s*(ADD COLUMN )?\w+ (real|double precision|float\d?|money)\b", SQL, re.M)
    assert columns == set(), "an amount is a numeric or bigint column"


def test_rule_9_views_declare_and_one_table_answers_errors():
    declared = 0
    for path in ROUTES:
        for function in ast.walk(tree(path)):
            if not isinstance(function, ast.FunctionDef):
                continue
            decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
            if any(".route(" in d for d in decorators):
                declared += 1
                view = f"{name_of(path)}:{function.lineno} {function.name}"
                assert any(re.search(r"\.(response|outcome)\(", d) for d in decorators), f"{view}: declare @response"
                is_read = any(".arguments(" in d for d in decorators) or not any("POST" in d for d in decorators)
                assert is_read, f"{view}: declare @arguments"
    assert declared, "no route was found: change this test"
    others = [path for path in sources("gateway") if name_of(path) != "gateway/http/connection.py"]  # of a transport
    assert callers(others, "abort") == set(), "raise ApiError instead of abort"
    codes = 0
    for path in sources("gateway"):
        for name, call in calls(path):
            if name == "ApiError" and call.args and isinstance(code := call.args[0], ast.Constant):
                codes += 1
                assert code.value in PROBLEMS, f"{name_of(path)}:{call.lineno}: add {code.value} to PROBLEMS"
    assert codes, "no ApiError was found: change this test"


NEVER_FIRST = {"accounts_floor_is_bounded"}
"""Constraints that no row breaks alone: another that PostgreSQL checks first is broken too."""


def test_rule_10_every_constraint_and_trigger_is_attacked():
    schema = "".join(path.read_text() for path in SQL if not path.name.startswith("down"))
    made = re.findall(r"(?<!DROP )\bCONSTRAINT (\w+)|\bCREATE TRIGGER (\w+) BEFORE|CONSTRAINT = '(\w+)'", schema)
    dropped = re.findall(r"\bDROP (?:CONSTRAINT|TRIGGER) (\w+)", schema)
    renamed = dict(re.findall(r"\bALTER TRIGGER (\w+) ON \w+ RENAME TO (\w+)", schema))
    names = (renamed.get(name, name) for group in made for name in group if name)
    standing = Counter(names) - Counter(dropped)
    others = [path for path in sources("tests") if name_of(path) != "tests/test_architecture.py"]
    tests = "".join(path.read_text() for path in others)
    stoppers = {stopper for attempt in ATTACKS.values() for stopper in attempt[1:]}
    attacked = {name for name in standing if name in stoppers or name in tests}
    assert standing.keys() - attacked == NEVER_FIRST, "attack the new constraint in tests/models/constraint_attacks/"


def test_rule_11_bounds_are_named():
    bound = re.compile(r"timeout|limit|retries|_max|max_|size|interval")
    for path in sources("gateway", "workers", "models"):
        for name, call in calls(path):
            for keyword in call.keywords:
                is_literal = isinstance(keyword.value, ast.Constant) and type(keyword.value.value) in {int, float}
                assert not (is_literal and bound.search(keyword.arg or "") and keyword.value.value > 1), (
                    f"{name_of(path)}:{call.lineno} {name}({keyword.arg}=...): make it a named constant with its reason"
                )


def test_rule_12_every_rule_names_a_check_that_exists():
    text = (CHECKOUT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| (\d+) \|.*\| (.+) \|$", text, re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 13)), "number the rules in CONTRIBUTING.md from 1 to 12"
    tests = "".join(path.read_text() for path in sources("tests"))
    for number, check in rows:
        names = re.findall(r"`(test_\w+)`", check)
        assert any(name.startswith(f"test_rule_{number}_") for name in names), f"name the check of rule {number}"
        assert [name for name in names if f"def {name}(" not in tests] == [], "CONTRIBUTING.md names no such test"


# The habits


def test_import_contracts_are_kept():
    run_tool("lint-imports", "--no-logo", "--no-cache")


@pytest.mark.parametrize(
    ("module", "importers"),
    [
        ("celery", {"celery_config.py", "timetable.py", "workers/signals.py"}),
        ("kombu", {"celery_config.py", "bell.py", "broker.py", "broker_amqp.py"}),
    ],
)
def test_celery_and_kombu_are_imported_by_few_files(module: str, importers: set[str]):
    product = sources(*PRODUCT, "embedded")
    found = {name_of(path) for path in product if any(m.split(".")[0] == module for m in imported(path))}
    assert found == importers, "use the app of celery_config.py or the bell of bell.py"


def test_no_file_has_more_than_300_lines():
    lines = {
        name_of(path): len(path.read_text().splitlines())
        for path in sources(*PRODUCT, *REST, "tests")
        if path not in GENERATED
    }
    assert {name: count for name, count in lines.items() if count > LINES_MAX} == {}, "split it by subject"


def test_public_names_have_docstrings():
    silent = set()
    for path in sources(*PRODUCT, "embedded", "bench", "deploy", "clients"):
        if "peers" in path.parts:  # written as others write
            continue
        body = tree(path).body
        silent |= set() if not body or ast.get_docstring(tree(path)) else {name_of(path)}
        for node in body:
            is_public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if is_public and node.name != "main" and not ast.get_docstring(node):
                silent.add(f"{name_of(path)}:{node.lineno} {node.name}")
    assert silent == set(), "write a docstring of one sentence"


def test_only_the_clock_of_the_database_decides():
    found = callers(sources("gateway", "workers", "models"), "now", "today", "utcnow")
    assert found == set(), "let the database compare with its now()"


def test_the_environment_is_read_in_settings_alone():
    read = places(r"\bos\.environ\b|\bgetenv\(|\bEnv\(", sources(*PRODUCT))
    gunicorn = "gateway/gunicorn_conf.py"  # reads two of its own
    assert files(read) == {"settings.py", gunicorn}, "add a field to Settings"


def test_tests_neither_sleep_nor_skip_nor_mock():
    paths = [path for path in sources("tests") if name_of(path) != "tests/test_architecture.py"]
    idle = callers(paths, "sleep", "skip", "skipif", "xfail", "importorskip")
    assert idle == set(), "wait for a condition with tests.support.eventually, and skip nothing"
    mocked = places(r"mark\.(skip|xfail)|\bsqlite\b|unittest\.mock", paths)
    assert mocked == set(), "use the real PostgreSQL and Valkey, and skip nothing"


def test_nothing_is_left_to_do():
    paths = [*sources(*PRODUCT, *REST), *SQL, *SHELL, *(path for path in DOCS if "adr" not in path.parts)]
    left = places(r"\b(TODO|FIXME|XXX)\b|^\s*print\(.*debug|\bbreakpoint\(", paths, re.M)
    assert left == set(), "do it, or leave it out"


def test_every_exception_from_the_linter_has_a_reason():
    for path in sources(*PRODUCT, *REST):
        text, codes = path.read_text(), {}
        for code, reason in re.findall(r"# noqa(?:: ([A-Z]+\d+))?(.*)", text):
            assert code, f"{name_of(path)}: name the code after noqa"
            codes[code] = codes.get(code, "") + reason.strip(" -")
        assert all(codes.values()), f"{name_of(path)}: write the reason after the code: {codes}"
    _, ignored, linting = (CHECKOUT / "pyproject.toml").read_text().partition("\nignore = [")
    assert ignored, "pyproject.toml has no list of ignored codes: change this test"
    lines = linting.partition("[tool.mypy]")[0].splitlines()
    silent = [line for line in lines if re.match(r'\s*"', line) and " # " not in line]
    assert silent == [], "write the reason after the code"


def test_every_make_target_has_a_help_text():
    text = (CHECKOUT / "Makefile").read_text()
    targets = dict(re.findall(r"^([a-z-]+):(.*)$", text, re.M))
    helped = {name for name, rest in targets.items() if "## " in rest}
    needed = {target for rest in targets.values() for target in rest.partition("##")[0].split()}
    assert {"help", "run", "up", "down", "demo", "test", "check", "bench"} <= helped, "write ## and a help text"
    assert set(targets) - helped <= needed, "write ## and a help text"
    phony = re.search(r"^\.PHONY: (.*)$", text, re.M)
    assert phony, "the Makefile has no .PHONY"
    assert set(phony[1].split()) == set(targets), "name each target in .PHONY"


def test_shell_scripts_pass_shellcheck():
    run_tool("shellcheck", *map(str, SHELL))
