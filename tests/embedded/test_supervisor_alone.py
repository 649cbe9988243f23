"""The supervisor without a stack: it rotates logs, and says in one line that it cannot write."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from embedded import home as homes
from embedded import process as processes
from embedded import supervisor
from embedded.__main__ import main


def test_logs_are_rotated_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Ended(Exception):
        pass

    def end(_: float) -> None:
        raise Ended

    monkeypatch.setattr(processes, "LOG_BYTES_MAX", 10)
    monkeypatch.setattr(supervisor.time, "sleep", end)
    home = homes.Home.at(tmp_path)
    home.log("gateway").write_text("a long line\n")
    home.log("beat").write_text("short\n")
    with pytest.raises(Ended):
        supervisor._keep_running(SimpleNamespace(home=home, parts={}), {})
    assert home.log("gateway").read_text() == ""
    assert (tmp_path / "logs" / "gateway.log.1").read_text() == "a long line\n"
    assert home.log("beat").read_text() == "short\n"


def test_a_checkout_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch):
    of_checkout = homes.Home.of_checkout
    monkeypatch.setattr(homes.Home, "of_checkout", lambda: of_checkout(Path("/sys")))  # nobody makes folders there
    monkeypatch.setattr(sys, "argv", ["embedded", "up"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert re.fullmatch(
        r"embedded: /sys/\.run: (Permission denied|Operation not permitted|Read-only.*)", ended.value.code
    )
