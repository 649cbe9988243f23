"""The linters that users of OpenAPI know find nothing: redocly's recommended rules and spectral's for OpenAPI."""

import pytest

from tests.contract import node

DOCUMENT = "../../docs/openapi.json"


@pytest.mark.parametrize(
    "command",
    [
        ("redocly", "lint", "--config=redocly.yaml", "--format=json", DOCUMENT),
        ("spectral", "lint", "--ruleset=spectral.yaml", "--fail-severity=hint", DOCUMENT),
    ],
    ids=lambda command: command[0],
)
def test_a_linter_finds_nothing(command: tuple[str, ...]) -> None:
    output = node.run(*command)
    assert '"warnings": 0' in output or "No results" in output, output
