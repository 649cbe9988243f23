"""README and guides do what they say: their commands, run as they stand by a POSIX shell, and once more."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import connection_files, demo
from embedded.home import CHECKOUT, write_private
from embedded.stack import Stack

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs" / "guides").glob("*.md"))]
SHELL = shutil.which("dash", path=os.defpath) or "/bin/sh"
SECONDS_MAX = 800
NOT_COPIED = shutil.ignore_patterns(".[!f]*", "tests", "bench", "adr", "static")

Files = dict[str, tuple[int, int]]
"""By path: size and time of the last change."""


@pytest.fixture(scope="module")
def commission_percent() -> int:
    return 2


@pytest.fixture(scope="module")
def checkout(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project in which the stack says that it runs, at the usual commission."""
    path = tmp_path_factory.mktemp("guides") / "checkout"
    shutil.copytree(CHECKOUT, path, ignore=NOT_COPIED)
    (path / ".run").mkdir()
    people = demo.prepare(stack)
    info = connection_files.describe(stack, people)
    write_private(path / ".run" / "stack.json", json.dumps(info))
    write_private(path / ".run" / "env", connection_files.shell_variables(info))
    return path


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.+?)^```", page.read_text(), re.M | re.S)
    return [text for name, text in found if name == language]


def files(folder: Path) -> Files:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def run(script: str, checkout: Path, temporary: Path) -> str:
    """The output of the script; it, and what it left running, is ended after SECONDS_MAX."""
    bare = {"HOME": str(temporary), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.defpath}
    with subprocess.Popen(
        [SHELL, "-euc", script], cwd=checkout, env=bare, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as shell:  # fmt: skip
        try:
            printed, errors = shell.communicate(timeout=SECONDS_MAX)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, printed + errors
    return printed.replace("\r", "")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_commands_of_a_page_print_what_it_shows_twice_and_leave_nothing(
    checkout: Path, tmp_path: Path, page: Path
) -> None:
    script = "".join(blocks(page, "sh"))
    shown = [line for text in blocks(page, "") for line in text.splitlines() if "…" not in line]
    assert shown or not script
    before = files(checkout)
    for _ in range(2):
        printed = run(script, checkout, tmp_path)
        rest = printed
        for line in shown:
            _, found, rest = rest.partition(line)
            assert found, f"{line!r} was not printed, or not in its turn:\n{printed}"
        if page.stem == "first-payment":
            assert "urn:payments:problem" not in printed
            assert '"state":"COMPLETED"' in printed
    assert files(checkout) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_defines_nothing_that_outlives_it_in_the_readers_shell(page: Path) -> None:
    script = "".join(blocks(page, "sh"))
    assert re.findall(r"^\s*(?:[\w-]+\s*\(\)|function\b|alias\b|trap\b|set\b|export\b).*", script, re.M) == []
