"""Waiters are woken within a second, whatever happens to the connection that notifies them."""

import os
import signal
import threading

import pytest

from gateway.waiting import waiters as waits
from models import change_listener
from models.change_listener import Listener
from tests.gateway.waiting.clients import QUICK_SECONDS, posting, services_of, timed, waiting
from tests.gateway.waiting.processes import LOST_SECONDS_MAX, PATIENT, another, deafen, deposit, lines
from tests.support import Database, eventually


def test_a_line_that_is_frozen_costs_a_second(database: Database) -> None:
    """Nothing is heard on it, and nothing says that it is lost."""
    with another(database) as api:
        client = api.person()
        with waiting(api, *[deposit(client, client.wallet(), **PATIENT)] * 5) as answers:
            line = eventually(lambda: lines(api, "max(pid)"))
            os.kill(line, signal.SIGSTOP)
            try:
                api.post_payments()
                lost = timed(lambda: [answer.result() for answer in answers])
            finally:
                os.kill(line, signal.SIGCONT)
        assert {answer.result().status for answer in answers} == {201}
        assert lost.seconds < LOST_SECONDS_MAX


@pytest.mark.parametrize("broken", ["hearing", "looking"])
def test_any_exception_leaves_a_thread_that_wakes_waiters(
    database: Database, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    raised = threading.Event()

    def fail(*_: object) -> None:
        raised.set()
        raise ArithmeticError

    with another(database) as api:
        client = api.person()
        with monkeypatch.context() as patched:
            patched.setattr(*((Listener, "hear") if broken == "hearing" else (change_listener, "versions")), fail)
            with waiting(api, deposit(client, client.wallet(), **PATIENT)) as [answer]:
                assert raised.wait(QUICK_SECONDS)
                api.post_payments()
                assert timed(answer.result).seconds < LOST_SECONDS_MAX
        deafen(monkeypatch)
        with waiting(api, deposit(client, client.wallet(), **PATIENT)) as [late]:
            api.post_payments()
            assert timed(late.result).seconds < LOST_SECONDS_MAX
        assert (answer.result().status, late.result().status) == (201, 201)


def test_a_flood_of_words_is_not_remembered(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any role may notify, of whatever it likes."""
    flood = "SELECT count(pg_notify('transitions', gen_random_uuid()::text)) FROM generate_series(1, 500)"
    with another(database) as api:
        monkeypatch.setattr(waits, "REMEMBERED_MAX", 100)
        client = api.person()
        with waiting(api, deposit(client, client.wallet(), **PATIENT)) as [answer]:
            for _ in range(20):
                api.execute(flood)
                assert len(services_of(api).waiters._notified) <= 500
            api.post_payments()
            assert timed(answer.result).seconds < LOST_SECONDS_MAX
        assert answer.result().status == 201


def test_a_place_is_not_lost_with_a_thread_that_does_not_start(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another(database) as api:
        waiters, start = services_of(api).waiters, threading.Thread.start
        monkeypatch.setattr(threading.Thread, "start", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError), waiters.add("id", "ann"):
            pass
        monkeypatch.setattr(threading.Thread, "start", start)
        assert len(waiters) == 0
        client = api.person()
        with posting(api):
            assert timed(deposit(client, client.wallet(), **PATIENT)).status == 201
