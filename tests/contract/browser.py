"""Chromium, headless, from an npm package with every library it needs beside the C library's."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.contract import node
from tests.support import eventually

END_SECONDS_MAX = 10
FLAGS = (
    "--headless=shell",
    "--no-sandbox",  # it refuses to run as root with one, and the only page is ours
    "--no-zygote",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def visit(url: str, done: Callable[[], bool]) -> None:
    """Keep a page open until it is done; fails with all that the browser printed."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, Path(home, "log").open("w+") as log:
        browser = subprocess.Popen(
            [node.BROWSER / "chromium", *FLAGS, f"--user-data-dir={home}/profile", url],
            env=node.environment(HOME=home, LD_LIBRARY_PATH=str(node.BROWSER / "al2023" / "lib")),
            stdout=log,
            stderr=log,
        )
        try:
            eventually(lambda: done() or browser.poll() is not None)
            assert done(), f"the browser ended with {browser.returncode}"
        except AssertionError as failed:
            failed.add_note(Path(log.name).read_text())
            raise
        finally:
            browser.terminate()
            browser.wait(END_SECONDS_MAX)
