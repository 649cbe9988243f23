"""What the package is made of."""

import sys
from pathlib import Path

import pytest

from tests.clients.python.environments import run
from tests.source_files import CLIENT, imported, name_of, sources

ALLOWED = sys.stdlib_module_names | {"payments_client", "httpx", "anyio", "typing_extensions"}
"""`anyio` comes with httpx; `typing_extensions` is for type checkers alone."""

OPTIONAL = {"testing": {"pytest"}, "cli": {"click", "rich"}}
"""What is needed by packages for those who have it, the extras."""


def test_the_client_needs_httpx_alone() -> None:
    for path in sources(str(CLIENT)):
        foreign = {module.split(".")[0] for module in imported(path)} - ALLOWED - OPTIONAL.get(path.parent.name, set())
        assert foreign == set(), f"{name_of(path)} imports {foreign}"


@pytest.mark.slow
def test_the_client_has_nothing_newer_than_python_3_10(tmp_path: Path) -> None:
    mypy = (sys.executable, "-m", "mypy", "--python-version=3.10", "--config-file=", f"--cache-dir={tmp_path}")
    run(*mypy, "--ignore-missing-imports", CLIENT, cwd=CLIENT.parent)
    newer = tmp_path / "newer.py"
    newer.write_text(
        "from datetime import UTC\nfrom enum import StrEnum\n\ntry:\n    pass\nexcept* OSError:\n    pass\n"
    )
    with pytest.raises(AssertionError, match=r"3\.11"):
        run(*mypy, newer)
    newer.write_text("from datetime import UTC\nfrom enum import StrEnum\n")
    with pytest.raises(AssertionError, match='has no attribute "StrEnum"'):
        run(*mypy, newer)
