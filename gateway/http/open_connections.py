"""How many connections each process of the gateway has, in memory that they share: a new one is for who has fewest."""

import mmap

PROCESSES_MAX = 64
"""Of more than these some share a place, and their connections may be uneven."""

_counts = memoryview(mmap.mmap(-1, PROCESSES_MAX * 8)).cast("q")
"""One more than the connections of each process; 0 for who does not accept."""


def tell(age: int, connections: int) -> None:
    """So many connections has the process with this number, which the arbiter gives."""
    _counts[age % PROCESSES_MAX] = connections + 1


def forget(age: int) -> None:
    """This process accepts no more."""
    _counts[age % PROCESSES_MAX] = 0


def has_fewest(age: int) -> bool:
    """True if no other process has fewer connections than this one."""
    own = _counts[age % PROCESSES_MAX]
    return not any(0 < count < own for count in _counts)
