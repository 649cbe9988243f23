"""Guesses at passwords: some are free, then each costs twice the wait of the one before."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, event

from models import login_throttle
from models.login_throttle import WAIT_SECONDS_MAX, Subject, of_address, of_user
from models.session import statements, transaction
from tests.builders import Builder, scalar

ANN = of_user("Ann@example.com")


def take(world: Builder, subject: Subject = ANN) -> float:
    with statements(world.gateway) as connection:
        return login_throttle.count_attempt(connection, subject)


def let_pass(world: Builder, seconds: float) -> None:
    """Make all that was noted older."""
    with transaction(world.owner) as connection:
        connection.exec_driver_sql(
            "UPDATE login_throttles SET locked_until = locked_until - make_interval(secs => %(s)s),"
            " seen_at = seen_at - make_interval(secs => %(s)s)",
            {"s": seconds},
        )


def test_five_attempts_are_free_then_the_wait_doubles(world):
    assert [take(world) for _ in range(5)] == [0.0] * 5
    expected = 1
    for _ in range(12):
        wait = take(world)
        assert expected - 1 < wait <= expected
        let_pass(world, expected)
        assert take(world) == 0.0
        expected = min(2 * expected, WAIT_SECONDS_MAX)
    assert expected == WAIT_SECONDS_MAX


def test_simultaneous_attempts_are_free_in_any_order(world):
    with transaction(world.gateway) as earlier:
        earlier.exec_driver_sql("SELECT now()")
        assert [take(world) for _ in range(3)] == [0.0] * 3
        assert login_throttle.count_attempt(earlier, ANN) == 0.0


def test_refused_attempt_does_not_count(world):
    for _ in range(5):
        take(world)
    assert all(take(world) <= 1 for _ in range(20))


def test_wait_ended_by_another_login_is_over(world):
    for _ in range(5):
        take(world)

    def forgive(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            with transaction(world.gateway) as another:
                login_throttle.forgive(another, ANN)

    with statements(world.gateway) as connection:
        event.listen(connection, "before_cursor_execute", forgive)
        assert 0 < login_throttle.count_attempt(connection, ANN) < 1


def test_racing_attempts_are_counted(world):
    with ThreadPoolExecutor(20) as pool:
        waits = list(pool.map(lambda _: take(world), range(40)))
    assert waits.count(0.0) == 5


def test_login_resets_the_count_of_the_user_not_of_the_address(world):
    home = of_address("192.0.2.1")
    for _ in range(5):
        take(world)
        assert take(world, home) == 0.0
    with transaction(world.gateway) as connection:
        login_throttle.forgive(connection, ANN)
        login_throttle.give_back(connection, home)
    assert take(world) == 0.0
    with transaction(world.owner) as connection:
        attempts = "SELECT attempts FROM login_throttles WHERE subject = %s"
        assert (scalar(connection, attempts, ANN.hash), scalar(connection, attempts, home.hash)) == (1, 4)


def test_email_in_another_case_is_the_same_user():
    assert of_user("ANN@EXAMPLE.COM") == ANN
    assert of_user("bob@example.com") != ANN
    assert of_address("ann@example.com").hash != ANN.hash


def test_old_attempts_are_forgotten(world):
    for _ in range(5):
        take(world)
    let_pass(world, login_throttle.FORGET_SECONDS + 1)
    assert [take(world) for _ in range(4)] == [0.0] * 4
    take(world, of_user("bob@example.com"))
    let_pass(world, login_throttle.FORGET_SECONDS + 1)
    take(world)
    with transaction(world.worker) as connection:
        assert login_throttle.forget_old(connection) == 1
        assert login_throttle.forget_old(connection) == 0


@pytest.mark.parametrize("attempts", [1_000_000, 2**31 - 2])
def test_very_many_attempts_stay_within_bounds(world, attempts):
    take(world)
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE login_throttles SET attempts = %s", (attempts,))
    assert take(world) == 0.0
    assert WAIT_SECONDS_MAX - 5 < take(world) <= WAIT_SECONDS_MAX
