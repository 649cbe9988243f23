"""The configuration for Vector makes of lines what that of rsyslog does: its programs are compiled and run."""

import fnmatch
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.home import CHECKOUT
from tests.clients.python.environments import install, run

FOLDER = CHECKOUT / "deploy" / "vector"
FILES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
PACKAGE = "vrl-python==0.1.0"
"""Vector's language, as a library for Python."""

RUN = """
import json, sys
from vrl_python import VRLRuntime
source, events = json.load(sys.stdin)
flaw = VRLRuntime.check_syntax(source)
assert flaw is None, flaw.formatted_message
for event in events:
    try:
        print(json.dumps(VRLRuntime().execute(source, event).processed_event))
    except RuntimeError as error:
        print(json.dumps("aborted" if "aborted" in str(error) else str(error)))
"""
HOSTS = [
    ("payments", "from-files", "to-files"),
    ("payments", "from-files", "to-network"),
    ("payments", "from-docker", "to-files"),
    ("payments", "from-files", "from-network", "to-files"),
]
DOCUMENTED = {
    "file": {"include", "max_line_bytes"} | {"path", "encoding", "acknowledgements"},
    "vector": {"address", "acknowledgements", "buffer"},
    "remap": {"file", "source", "drop_on_abort", "drop_on_error"},
}
"""By type of a component, its options as Vector's reference names them; no schema of its files is published."""

STATEMENT = "duration: 0.512 ms  statement: SELECT 'secret' /* request_id=01a1-b */"
LINES: list[tuple[str, str, Any]] = [
    ("payments/gateway-1.log", '{"event": "request", "level": "INFO", "request_id": "01", "timestamp": "t"}',
     {"event": "request", "level": "info", "request_id": "01", "timestamp": "t", "service": "gateway-1"}),
    ("payments/posting.log", "Traceback (most recent call last):",
     {"event": "Traceback (most recent call last):", "level": "info", "service": "posting"}),
    ("payments/posting.log", "[1, 2]", {"event": "[1, 2]", "level": "info", "service": "posting"}),
    ("main/log/postgresql-2026-12-03.json",
     json.dumps({"error_severity": "LOG", "timestamp": "t", "message": STATEMENT, "statement": "SELECT 'secret'"}),
     {"event": "duration: 0.512 ms", "level": "log", "logger": "postgresql", "request_id": "01a1-b", "timestamp": "t",
      "service": "postgresql"}),
    ("main/log/postgresql-2026-12-03.json",
     json.dumps({"error_severity": "ERROR", "message": "canceled", "detail": "(secret)", "context": "secret"}),
     {"event": "canceled", "level": "error", "logger": "postgresql", "service": "postgresql"}),
    ("payments/beat", "x", {"event": "x", "level": "info", "service": "unknown"}),
    ("payments/beat.log", "", "aborted"),
]  # fmt: skip


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("vrl"), PACKAGE)


def remapped(python: Path, source: str, *events: dict[str, Any]) -> list[Any]:
    return [json.loads(line) for line in run(python, "-c", RUN, stdin=json.dumps([source, events])).splitlines()]


@pytest.mark.slow
def test_lines_become_what_rsyslog_makes_of_them(python: Path) -> None:
    events = [{"message": text, "file": f"/var/log/{file}", "host": "h1"} for file, text, _ in LINES]
    made = remapped(python, (FOLDER / "payments.vrl").read_text(), *events)
    assert made == [line if isinstance(line, str) else line | {"host": "h1"} for _, _, line in LINES]


@pytest.mark.slow
def test_lines_of_docker_are_unwrapped(python: Path) -> None:
    text = {"log": '{"event": "x", "level": "INFO"}\n', "stream": "stdout", "attrs": {"tag": "gateway-1"}}
    unwrapped = {"message": '{"event": "x", "level": "INFO"}', "file": "/gateway-1.log", "host": "h1"}
    source = FILES["from-docker"]["transforms"]["from_docker"]["source"]
    assert remapped(python, source, {"message": json.dumps(text), "file": "/c", "host": "h1"}) == [unwrapped]
    [made] = remapped(python, (FOLDER / "payments.vrl").read_text(), unwrapped)
    assert made == {"event": "x", "level": "info", "service": "gateway-1", "host": "h1"}


@pytest.mark.parametrize("names", HOSTS, ids="+".join)
def test_the_files_of_a_host_fit_together(names: tuple[str, ...]) -> None:
    parts: dict[str, dict[str, Any]] = {}
    for name in names:
        for kind in ("sources", "transforms", "sinks"):
            assert not parts.keys() & FILES[name].get(kind, {}).keys(), "a name is given once"
            parts |= FILES[name].get(kind, {})
    consumed = set()
    for part in parts.values():
        for pattern in part.get("inputs", ()):
            found = set(fnmatch.filter(parts, pattern)) - {name for name, one in parts.items() if one is part}
            assert found, f"nothing is {pattern}"
            consumed |= found
    ends = {name for name in FILES if name.startswith("to-")} & set(names)
    assert parts.keys() - consumed == FILES[ends.pop()]["sinks"].keys()


@pytest.mark.parametrize("name", FILES)
def test_components_are_those_of_the_reference(name: str) -> None:
    kinds = FILES[name].keys() - {"data_dir"}
    assert kinds <= {"sources", "transforms", "sinks"}
    for part in (part for kind in kinds for part in FILES[name][kind].values()):
        assert part.keys() - {"type", "inputs"} <= DOCUMENTED[part["type"]]
