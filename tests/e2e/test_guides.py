"""The guides do what they say: their commands, run in a shell as they stand."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.home import CHECKOUT
from embedded.stack import Stack

GUIDES = sorted((CHECKOUT / "docs" / "guides").glob("*.md"))
SECONDS_MAX = 240


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_the_commands_of_a_guide_print_what_it_shows(stack: Stack, tmp_path: Path, guide: Path) -> None:
    ops = stack.create_user("ops.of.the.guide@example.com", "ops")
    (tmp_path / ".run").mkdir()
    told = {"url": stack.url, "mail": stack.mail, "bank": stack.bank_url, "ops_token": ops["token"]}
    (tmp_path / ".run" / "stack.json").write_text(json.dumps(told))
    blocks = re.findall(r"^```(\w*)\n(.+?)^```", guide.read_text(), re.M | re.S)
    script = "".join(text for language, text in blocks if language == "sh")
    command = ["bash", "-euo", "pipefail", "-c", script]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # python3 is the one that the project runs with
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [line for language, text in blocks if not language for line in text.splitlines() if "…" not in line]
    assert shown
    rest = done.stdout.replace("\r", "")
    for line in shown:
        _, found, rest = rest.partition(line)
        assert found, f"{line!r} was not printed, or not in its turn:\n{done.stdout}"
