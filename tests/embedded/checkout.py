"""A checkout with an embedded stack of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from embedded.stack import TOLD_BY_US

COMMAND_SECONDS_MAX = 240
ELSEWHERE = {
    "PGHOST": "/nowhere", "PGPORT": "5999", "PGUSER": "me", "PGOPTIONS": "-c search_path=elsewhere",
    "PGSERVICE": "none", "CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "GUNICORN_CMD_ARGS": "--bind 127.0.0.1:1",
}  # fmt: skip
"""Variables of a user's environment that point to other servers."""


class Checkout:
    """A copy of the project, its commands, and the `stack.json` of its running stack."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stack_file = path / ".run" / "stack.json"
        self.startup_output = ""

    def run(self, command: str, **environ: str) -> subprocess.CompletedProcess:
        kept = {key: value for key, value in os.environ.items() if key not in TOLD_BY_US}
        return subprocess.run(
            [sys.executable, "-m", "embedded", command],
            cwd=self.path,
            env=kept | environ if "DATABASE_URL" in environ else kept | ELSEWHERE,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )

    def stack_json(self) -> dict:
        return json.loads(self.stack_file.read_text())
