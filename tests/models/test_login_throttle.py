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


def test_five_are_free_then_the_wait_doubles_up_to_its_most(world):
    assert [take(world) for _ in range(5)] == [0.0] * 5
    expected = 1
    for _ in range(12):
        wait = take(world)
        assert expected - 1 < wait <= expected
        let_pass(world, expected)
        assert take(world) == 0.0
        expected = min(2 * expected, WAIT_SECONDS_MAX)
    assert expected == WAIT_SECONDS_MAX


def test_guesses_at_once_are_free_whichever_began_first(world):
    with transaction(world.gateway) as earlier:
        earlier.exec_driver_sql("SELECT now()")
        assert [take(world) for _ in range(3)] == [0.0] * 3
        assert login_throttle.count_attempt(earlier, ANN) == 0.0


def test_a_guess_that_is_refused_does_not_count(world):
    for _ in range(5):
        take(world)
    assert all(take(world) <= 1 for _ in range(20))


def test_a_wait_that_somebody_ends_meanwhile_is_as_good_as_over(world):
    for _ in range(5):
        take(world)

    def forgive(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT"):
            with transaction(world.gateway) as another:
                login_throttle.forgive(another, ANN)

    with statements(world.gateway) as connection:
        event.listen(connection, "before_cursor_execute", forgive)
        assert 0 < login_throttle.count_attempt(connection, ANN) < 1


def test_racing_guesses_count_too(world):
    with ThreadPoolExecutor(20) as pool:
        waits = list(pool.map(lambda _: take(world), range(40)))
    assert waits.count(0.0) == 5


def test_a_right_guess_begins_anew_for_the_user_and_not_for_the_address(world):
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


def test_an_address_in_another_case_is_the_same_user():
    assert of_user("ANN@EXAMPLE.COM") == ANN
    assert of_user("bob@example.com") != ANN
    assert of_address("ann@example.com").hash != ANN.hash


def test_what_was_left_alone_is_forgotten(world):
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
def test_a_patient_guesser_breaks_nothing(world, attempts):
    take(world)
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE login_throttles SET attempts = %s", (attempts,))
    assert take(world) == 0.0
    assert WAIT_SECONDS_MAX - 5 < take(world) <= WAIT_SECONDS_MAX
