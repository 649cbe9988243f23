"""Users, and tokens of which only the hash is kept."""

import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import IntegrityError

from models import token as tokens
from models import user
from models.session import transaction
from models.user import Role
from tests.builders import Builder, new_id, scalar
from tests.support import eventually


def test_new_tokens_are_well_formed_and_unique():
    made = {tokens.new() for _ in range(100)}
    assert len(made) == 100
    assert all(tokens.is_well_formed(token) and len(token) == tokens.LENGTH for token in made)


def test_checksum_detects_every_single_typing_error():
    token = tokens.new()
    for place in range(len(token)):
        for wrong in set(string.ascii_letters + string.digits) - {token[place]}:
            assert not tokens.is_well_formed(token[:place] + wrong + token[place + 1 :])


def test_malformed_token_is_detected():
    token = tokens.new()
    wrong = [
        "",
        "pay_",
        "pay_" + "0" * 49,
        "pay_" + "é" * 49,
        "pay_" + "\0" * 49,
        " " + token[1:],
        token + " ",
        token[:-1],
    ]
    assert not any(map(tokens.is_well_formed, wrong))


@pytest.fixture
def token_of(world):
    """Keeps a token for a new user; what it may be is given."""

    def keep(**limits):
        user_id, token = world.user(), tokens.new()
        with transaction(world.worker) as connection:
            tokens.keep(connection, new_id(), user_id, token, **limits)
        return user_id, token

    return keep


def bearer(world: Builder, token: str) -> tokens.Bearer | None:
    with transaction(world.gateway) as connection:
        return tokens.bearer(connection, tokens.hash_of(token))


def test_database_stores_only_the_hash_of_a_token(world, token_of):
    _, token = token_of()
    with transaction(world.worker) as connection:
        row = connection.exec_driver_sql("SELECT hash, t::text, prefix, last4 FROM tokens t").one()
    assert bytes(row[0]) == tokens.hash_of(token)
    assert token not in row[1]
    assert token.startswith(row[2])
    assert token.endswith(row[3])
    assert len(row[2]) + len(row[3]) == len(tokens.PREFIX) + 8


@pytest.mark.parametrize("scopes", [None, [], ["deposits:write"]])
def test_bearer_is_found_with_scopes(world, token_of, scopes):
    user_id, token = token_of(scopes=scopes)
    found = bearer(world, token)
    assert (found.user_id, found.role, found.is_active) == (user_id, "client", True)
    assert found.scopes == (None if scopes is None else frozenset(scopes))


def test_unknown_expired_or_revoked_token_has_no_bearer(world, token_of):
    assert bearer(world, tokens.new()) is None
    _, expired = token_of()
    _, revoked = token_of()
    with transaction(world.owner) as connection:
        for column, token in (("expires_at", expired), ("revoked_at", revoked)):
            connection.exec_driver_sql(f"UPDATE tokens SET {column} = now() WHERE hash = %s", (tokens.hash_of(token),))
    assert bearer(world, expired) is None
    assert bearer(world, revoked) is None


def test_last_use_is_stored_at_most_once_a_minute(world, token_of):
    _, token = token_of()
    last_used = "SELECT last_used_at FROM tokens"
    uses = []
    for _ in range(2):
        bearer(world, token)
        with transaction(world.worker) as connection:
            uses.append(scalar(connection, last_used))
    assert uses[0] is not None
    assert uses[0] == uses[1]
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE tokens SET last_used_at = last_used_at - interval '61 seconds'")
    bearer(world, token)
    with transaction(world.worker) as connection:
        assert scalar(connection, last_used) > uses[0]


def test_email_is_unique_in_any_case(world):
    with transaction(world.worker) as connection:
        id = new_id()
        assert user.create(connection, id, "Ann@Example.com", Role.OPS, "Ann")
        assert not user.create(connection, new_id(), "aNN@example.COM", Role.CLIENT, "Ann")
        assert user.by_email(connection, "ANN@example.com").id == id
        assert user.by_email(connection, "bob@example.com") is None


def test_token_needs_a_user(world):
    with pytest.raises(IntegrityError), transaction(world.worker) as connection:
        tokens.keep(connection, new_id(), new_id(), tokens.new())


def test_session_expires_and_the_oldest_makes_room(world, monkeypatch):
    monkeypatch.setattr(tokens, "ACTIVE_MAX", 3)
    ann, ids = world.user(), [new_id() for _ in range(4)]
    with transaction(world.gateway) as connection:
        for id in ids:
            tokens.open_session(connection, id, ann, tokens.new(), 1, "192.0.2.1", "curl")
        assert [kept.id for kept in tokens.page(connection, ann, tokens.SESSION, 10)] == ids[:0:-1]
        assert tokens.count_active(connection, ann, tokens.SESSION) == 3
        assert tokens.count_active(connection, ann, tokens.API_KEY) == 0
        left = "SELECT extract(epoch FROM expires_at - created_at) FROM tokens WHERE id = %s"
        assert scalar(connection, left, ids[0]) == 3600


def test_oldest_session_is_by_database_time_not_by_id(world, monkeypatch):
    """A user who signs in by a gateway whose clock is behind stays signed in."""
    monkeypatch.setattr(tokens, "ACTIVE_MAX", 2)
    ann, ids = world.user(), sorted((new_id() for _ in range(3)), reverse=True)
    for id in ids:
        with transaction(world.gateway) as connection:
            tokens.open_session(connection, id, ann, tokens.new(), 1, "192.0.2.1", "curl")
    with transaction(world.gateway) as connection:
        assert {kept.id for kept in tokens.page(connection, ann, tokens.SESSION, 10)} == set(ids[1:])


def test_tokens_are_revoked_singly_or_all_by_their_owner(world):
    ann, bob = world.user(), world.user()
    ids = {owner: [new_id() for _ in range(3)] for owner in (ann, bob)}
    with transaction(world.gateway) as connection:
        for owner, own in ids.items():
            for id in own:
                tokens.keep(connection, id, owner, tokens.new(), name="desktop")
        assert tokens.revoke(connection, bob, tokens.API_KEY, ids[ann][0]) == []
        assert tokens.revoke(connection, ann, tokens.SESSION, ids[ann][0]) == []
        assert tokens.revoke(connection, ann, tokens.API_KEY, ids[ann][0]) == [ids[ann][0]]
        assert tokens.revoke(connection, ann, tokens.API_KEY, ids[ann][0]) == []
        assert tokens.revoke(connection, ann, tokens.API_KEY, but=ids[ann][1]) == [ids[ann][2]]
        assert tokens.find(connection, ann, tokens.API_KEY, ids[ann][0]) is None
        assert tokens.find(connection, ann, tokens.API_KEY, ids[ann][1]).name == "desktop"
        assert tokens.count_active(connection, bob, tokens.API_KEY) == 3


def test_token_made_during_revocation_of_all_is_revoked(world):
    ann, late = world.user(), new_id()
    with ThreadPoolExecutor(1) as pool:

        def revoke() -> list[str]:
            with transaction(world.gateway) as connection:
                return tokens.revoke(connection, ann, tokens.API_KEY)

        with transaction(world.gateway) as connection:
            user.lock(connection, ann)
            tokens.keep(connection, late, ann, tokens.new())
            ended = pool.submit(revoke)
            waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
            eventually(lambda: ended.done() or scalar(connection, waiting))
        assert ended.result() == [late]


def test_api_key_is_rotated_once_and_overlaps(world):
    ann, old, heir, token = world.user(), new_id(), new_id(), tokens.new()
    with transaction(world.gateway) as connection:
        tokens.keep(connection, old, ann, token)
        assert tokens.replace(connection, ann, old, heir, 60)
        assert not tokens.replace(connection, ann, old, new_id(), 60)
        assert tokens.find(connection, ann, tokens.API_KEY, old).replaced_by == heir
        assert tokens.was_replaced(connection, ann, old)
        assert not tokens.was_replaced(connection, world.user(), old)
        left = "SELECT extract(epoch FROM expires_at - now()) FROM tokens WHERE id = %s"
        assert 59 < scalar(connection, left, old) <= 60
    assert bearer(world, token) is not None
