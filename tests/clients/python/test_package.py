"""What the package is made of."""

import sys

from tests.source_files import CLIENT, imported, name_of, sources

ALLOWED = sys.stdlib_module_names | {"payments_client", "httpx", "anyio", "typing_extensions"}
"""`anyio` comes with httpx; `typing_extensions` is for type checkers alone."""

OPTIONAL = {"testing": {"pytest"}, "cli": {"click", "rich"}}
"""What is needed by packages for those who have it, the extras."""


def test_the_client_needs_httpx_alone() -> None:
    for path in sources(str(CLIENT)):
        foreign = {module.split(".")[0] for module in imported(path)} - ALLOWED - OPTIONAL.get(path.parent.name, set())
        assert foreign == set(), f"{name_of(path)} imports {foreign}"
