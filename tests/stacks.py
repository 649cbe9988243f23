"""Whole stacks for tests: a few that are shared by the modules that are content with them, and others."""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from embedded import home as homes
from embedded.postgres import Postgres
from embedded.stack import Stack
from models import health
from models.session import transaction
from tests.broker import kind_of_stack
from tests.e2e.state_machine.audit import owner, wait_until_decided
from tests.support import begin_with, charge_commission, entries_of, memory, migrate
from tests.webhook_receiver import Receiver

UNLIMITED = {
    "RATE_LIMIT_TOKEN": "1000000 per second",
    "RATE_LIMIT_ADDRESS": "1000000 per second",
    "SIGN_UP_LIMIT": "1000000 per hour",
}
"""All requests of a test come from one address."""

TESTS = Path(__file__).parent
OWN_STACK = re.compile(r"^def (?:stack|stack_settings|commission_percent)\(", re.M)
"""The fixtures by which a module has a stack of its own."""

STEP_SECONDS_MIN = 0.1
"""A set-up or end that took so long may be among the slowest."""

DECIDED_SECONDS_MAX = 300
SHARED_STACKS = 2
"""A stack that waits for its next module takes a twentieth of a core."""


@pytest.fixture(scope="module")
def stack_settings() -> dict[str, str]:
    """Settings of the module's stack beyond the usual; a module that has some does not share its stack."""
    return {}


@pytest.fixture(scope="module")
def commission_percent() -> int:
    """The commission percent on the module's stack from its start; a module with another does not share its stack."""
    return 0


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where clusters begin: that of a PostgreSQL that has stopped, with a migrated database, and its secrets.

    It is made once for all test processes.
    """
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "migrated"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            with homes.temporary(memory() or homes.SHARED) as home:
                server = Postgres(home, durable=False)
                server.start()
                try:
                    migrate(server.url())
                finally:
                    server.stop()
                half = place.with_suffix(".half")
                half.mkdir()
                begin_with(home.path, half)
            half.rename(place)
    return place


@contextmanager
def new_stack(migrated: Path, environ: dict[str, str], percent: int) -> Iterator[Stack]:
    """A new stack, durable and with every process; nothing restarts what a test kills."""
    with homes.temporary(memory() or homes.SHARED) as home:
        begin_with(migrated, home.path)
        stack = kind_of_stack()(home, environ=UNLIMITED | environ)
        try:
            stack.start_servers()
            charge_commission(stack.postgres, percent=percent)  # a poster remembers the terms it has read
            stack.start_processes()
            yield stack
        finally:
            stack.stop()
        for name in stack.processes:
            entries_of(stack.home.log(name).read_text())


class SharedStack:
    """The stack of this test process, from when it is first wanted until no further test wants it."""

    def __init__(self, migrated: Path) -> None:
        self._migrated = migrated
        self._ending = ExitStack()
        self._stack: Stack | None = None

    @property
    def is_running(self) -> bool:
        return self._stack is not None

    def get(self) -> Stack:
        if self._stack is None:
            self._stack = self._ending.enter_context(new_stack(self._migrated, {}, 0))
        return self._stack

    def end(self) -> None:
        self._stack = None
        self._ending.close()


SHARED = pytest.StashKey[SharedStack]()
LAST_USE = pytest.StashKey[int]()
"""The place of the last test that wants a stack."""


def assert_in_order(stack: Stack) -> None:
    """Everything runs, and nothing is left to decide."""
    assert [name for name, part in stack.parts.items() if not part.is_alive] == []
    stack.wait_ready()
    wait_until_decided(stack, DECIDED_SECONDS_MAX)


def awaits_a_person(stack: Stack) -> bool:
    """Whether something is left that only a person ends, which `/status` and counts would tell the next module."""
    with transaction(owner(stack)) as connection:
        report = health.report(connection, broker_is_up=True)
    return report.parked > 0 or report.undecided > 0 or report.has("books_broken")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the modules that share stacks come first."""
    items.sort(key=lambda item: group_of(item.nodeid.partition("::")[0]) is None)
    config.stash[LAST_USE] = sum(group_of(item.nodeid.partition("::")[0]) is not None for item in items) - 1


@cache
def group_of(file: str) -> str | None:
    """The group of the modules that share a stack with this one; None if it uses none, or one of its own."""
    return sharing_modules().get(file)


@cache
def sharing_modules() -> dict[str, str]:
    """The modules that are content with a shared stack, each with one of as many groups as there are SHARED_STACKS."""
    modules = sorted(path for folder in ("browser", "e2e", "faults") for path in (TESTS / folder).glob("test_*.py"))
    sharing = [path for path in modules if not OWN_STACK.search(path.read_text())]
    groups = cycle([f"stack {number}" for number in range(1, SHARED_STACKS + 1)])
    return {path.relative_to(TESTS.parent).as_posix(): next(groups) for path in sharing}


class FilesAndGroups(LoadScopeScheduling):
    """Gives each test process whole files, or all files of a group."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return group_of(file) or file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesAndGroups:
    return FilesAndGroups(config, log)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the shared stack after its last use: an idle one takes a share of the processor all the same."""
    shared = item.config.stash.get(SHARED, None)
    if shared is None or not shared.is_running:
        return
    if nextitem is None or item.session.items.index(nextitem) > item.config.stash[LAST_USE]:
        shared.end()


@pytest.fixture(scope="session")
def shared_stack(pytestconfig: pytest.Config, migrated: Path) -> Iterator[SharedStack]:
    """The stack of this test process."""
    pytestconfig.stash[SHARED] = shared = SharedStack(migrated)
    yield shared
    shared.end()


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, migrated: Path, stack_settings: dict[str, str], commission_percent: int
) -> Iterator[Stack]:
    """The shared stack, which each module leaves in order, or one with settings of the module's own.

    Who uses it has users of their own and counts their payments alone. After a failure, or if something awaits a
    person, the next module has a new one.
    """
    if stack_settings or commission_percent:
        with new_stack(migrated, stack_settings, commission_percent) as stack:
            yield stack
        return
    shared: SharedStack = request.getfixturevalue("shared_stack")
    failed_before = request.session.testsfailed
    yield (stack := shared.get())
    if request.session.testsfailed > failed_before:
        shared.end()
        return
    try:
        assert_in_order(stack)
    except BaseException:
        shared.end()
        raise
    if awaits_a_person(stack):
        shared.end()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks, on the machine of the stack."""
    receiver = Receiver()
    yield receiver
    receiver.close()


def pytest_configure(config: pytest.Config) -> None:
    """Let test processes tell only how tests ended, which is a third of the cost of the shortest tests."""
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":
            plugin.sendevent = partial(_send_what_counts, plugin.sendevent)


def _send_what_counts(send: Callable[..., None], name: str, **told: Any) -> None:
    report = told.get("data", {}) if name == "testreport" else {}
    is_step = report.get("when") in ("setup", "teardown") and report["outcome"] == "passed"
    if name != "logstart" and not (is_step and report["duration"] < STEP_SECONDS_MIN):
        send(name, **told)
