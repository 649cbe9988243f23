"""The files of this repository as the tests about code and documents read them."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from embedded.home import CHECKOUT

TOOLS = Path(sys.executable).parent

PRODUCT = (
    "gateway",
    "workers",
    "models",
    "settings.py",
    "database_urls.py",
    "celery_config.py",
    "bell.py",
    "broker.py",
    "broker_amqp.py",
    "redis_urls.py",
    "timetable.py",
    "logs.py",
    "metrics.py",
    "telemetry.py",
    "tracing.py",
    "wsgi.py",
)
REST = ("migrations", "embedded", "bench", "deploy", "clients")
CLIENT = CHECKOUT / "clients" / "python" / "src" / "payments_client"
GENERATED = [CLIENT / name for name in ("_async_resources.py", "_resources.py", "_routes.py", "inputs.py", "models.py")]
"""Files that clients/python/generator writes."""
ROUTES = sorted([*(CHECKOUT / "gateway").rglob("*routes.py"), CHECKOUT / "gateway/docs.py"])
SQL = sorted((CHECKOUT / "migrations" / "sql").rglob("*.sql"))
DOCS = [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "docs").rglob("*.md"))]
SHELL = [CHECKOUT / ".ci" / "run", *CHECKOUT.glob("*/*.sh"), *CHECKOUT.glob("*/*/*.sh")]


def sources(*places: str) -> list[Path]:
    """The Python files of these folders and files, named from the top."""
    return sorted(
        path for place in places for path in [CHECKOUT / place, *(CHECKOUT / place).rglob("*.py")] if path.is_file()
    )


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    return path.relative_to(CHECKOUT).as_posix()


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
    done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
