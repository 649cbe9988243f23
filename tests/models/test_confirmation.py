"""Confirmations: requested, mailed with a token of their own, used once within a day."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from models import confirmation
from models import token as tokens
from models.confirmation import MAILS_PER_HOUR_MAX, PendingMail, Purpose
from models.session import transaction
from tests.builders import Builder, new_id, scalar

ATTEMPTS_MAX = 3


def ask(world: Builder, user_id: str, purpose: Purpose = Purpose.EMAIL) -> bool:
    with transaction(world.gateway) as connection:
        return confirmation.ask(connection, new_id(), user_id, purpose)


def take(world: Builder, hash: bytes, wait_seconds: float = 60) -> PendingMail | None:
    with transaction(world.worker) as connection:
        return confirmation.take(connection, hash, wait_seconds, ATTEMPTS_MAX)


def redeem(world: Builder, token: str, purpose: Purpose = Purpose.EMAIL) -> str | None:
    with transaction(world.gateway) as connection:
        return confirmation.redeem(connection, tokens.hash_of(token), purpose)


@pytest.fixture
def mailed(world):
    """Asks and mails: the user's id and the token."""

    def mail(purpose: Purpose = Purpose.EMAIL, user_id: str | None = None) -> tuple[str, str]:
        user_id, token = user_id or world.user(), tokens.new(tokens.CONFIRMATION_PREFIX)
        assert ask(world, user_id, purpose)
        letter = take(world, tokens.hash_of(token))
        assert (letter.user_id, letter.purpose, letter.attempts) == (user_id, purpose, 1)
        with transaction(world.worker) as connection:
            confirmation.note_sent(connection, letter.id)
        return user_id, token

    return mail


def test_token_confirms_once(world, mailed):
    user_id, token = mailed()
    assert redeem(world, token, Purpose.PASSWORD) is None, "it is for something else"
    assert redeem(world, token) == user_id
    assert redeem(world, token) is None
    assert redeem(world, tokens.new(tokens.CONFIRMATION_PREFIX)) is None


def test_using_a_token_ends_all_tokens_of_its_purpose(world, mailed):
    user_id, first = mailed(Purpose.PASSWORD)
    _, second = mailed(Purpose.PASSWORD, user_id)
    _, other = mailed(Purpose.EMAIL, user_id)
    assert redeem(world, second, Purpose.PASSWORD) == user_id
    assert redeem(world, first, Purpose.PASSWORD) is None
    assert redeem(world, other) == user_id


def test_two_tokens_at_once_are_used_once(world, mailed):
    user_id, first = mailed(Purpose.PASSWORD)
    _, second = mailed(Purpose.PASSWORD, user_id)
    with ThreadPoolExecutor(2) as pool:
        used = list(pool.map(lambda token: redeem(world, token, Purpose.PASSWORD), (first, second)))
    assert sorted(used, key=str) == sorted([None, user_id], key=str)


def test_token_expires_after_a_day(world, mailed):
    _, token = mailed()
    with transaction(world.owner) as connection:
        left = "SELECT extract(epoch FROM expires_at - now()) FROM confirmations"
        assert 86_390 < scalar(connection, left) <= 86_400
        connection.exec_driver_sql("UPDATE confirmations SET expires_at = now()")
    assert redeem(world, token) is None


def test_mails_to_an_address_are_limited(world):
    user_id = world.user()
    created = [ask(world, user_id) for _ in range(MAILS_PER_HOUR_MAX + 2)]
    assert created == [True] * MAILS_PER_HOUR_MAX + [False] * 2
    assert ask(world, user_id, Purpose.PASSWORD)
    assert ask(world, world.user())


def test_mails_to_an_address_are_limited_under_races(world):
    user_id = world.user()
    with ThreadPoolExecutor(20) as pool:
        created = list(pool.map(lambda _: ask(world, user_id), range(40)))
    assert created.count(True) == MAILS_PER_HOUR_MAX


def test_failed_mail_is_due_again_with_another_token(world):
    user_id = world.user()
    assert ask(world, user_id)
    hashes = [tokens.hash_of(tokens.new()) for _ in range(ATTEMPTS_MAX + 1)]
    for attempt, hash in enumerate(hashes[:-1], 1):
        letter = take(world, hash)
        assert letter.attempts == attempt
        assert take(world, hash) is None, "it is not due while it is being sent"
        with transaction(world.worker) as connection:
            confirmation.note_failed(connection, letter.id, "no route" * 100, 0)
    assert take(world, hashes[-1]) is None, "enough is enough"
    with transaction(world.worker) as connection:
        assert len(scalar(connection, "SELECT last_error FROM confirmations")) == confirmation.LAST_ERROR_LENGTH_MAX


def test_used_token_does_not_delay_other_mails(world, mailed):
    user_id, first = mailed()
    assert ask(world, user_id)
    letter = take(world, bytes([1]) * 32, wait_seconds=0)
    assert redeem(world, first) == user_id
    with transaction(world.worker) as connection:
        confirmation.note_failed(connection, letter.id, "busy", 0)
        confirmation.note_sent(connection, letter.id)
        assert not confirmation.is_any_due(connection, ATTEMPTS_MAX)
    other = world.user()
    assert ask(world, other)
    assert take(world, bytes([2]) * 32).user_id == other


def test_two_mail_senders_claim_different_mails(world):
    ids = {world.user(), world.user()}
    for id in ids:
        assert ask(world, id)
    with transaction(world.worker) as first, transaction(world.worker) as second:
        taken = [confirmation.take(c, tokens.hash_of(tokens.new()), 60, ATTEMPTS_MAX) for c in (first, second)]
    assert {letter.user_id for letter in taken} == ids
