"""Clocks on the wall that are wrong, one for each process of a stack, stepped while they run."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from embedded.stack import Stack

SOURCE = Path(__file__).with_name("clock.c")


def compiled(folder: Path) -> Path:
    """The library that makes a clock wrong, in this folder."""
    shim = folder / "clock.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, SOURCE], check=True)
    return shim


class Clocks:
    """A wrong clock for each process of a stack that has not been started; set to nothing wrong."""

    def __init__(self, stack: Stack) -> None:
        self._folder = stack.home.path / "clocks"
        self._folder.mkdir()
        self._folder.chmod(0o755)
        self._shim = compiled(self._folder)
        for name, process in stack.processes.items():
            process.environ = self.environ(name, process.environ or {})
            process.forked = False  # the loader reads LD_PRELOAD when a program begins

    def environ(self, name: str, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment of a process of that name, with a clock of its own."""
        self.set({name: 0})
        return {**environ, "LD_PRELOAD": str(self._shim), "CLOCK_FILE": str(self._folder / name)}

    def set(self, off_seconds: Mapping[str, int]) -> None:
        """Step the clocks of these processes to this many seconds ahead, or behind if negative."""
        for name, seconds in off_seconds.items():
            path = self._folder / name
            with path.open("r+b" if path.exists() else "wb") as file:
                file.write(seconds.to_bytes(8, "little", signed=True))
            path.chmod(0o644)
