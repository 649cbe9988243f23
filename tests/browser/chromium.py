"""A Chromium for the tests of pages: one that is installed, else that of the npm package."""

import shutil
from typing import NamedTuple

import pytest

from tests.contract import node

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")


class Chromium(NamedTuple):
    """An executable, and the variables that it needs."""

    path: str
    environment: dict[str, str]


def find() -> Chromium:
    """The browser; fails with one line if there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return Chromium(path, {})
    try:
        node.install()
    except Exception as error:  # whatever npm stumbles over
        pytest.fail(f"no browser: install Debian's package chromium, or let npm reach its registry ({error})", False)
    libraries = str(node.BROWSER / "al2023" / "lib")
    return Chromium(str(node.BROWSER / "chromium"), {"LD_LIBRARY_PATH": libraries})
