"""Users: signing up, being changed, being welcomed, and being looked for."""

from models import user
from models.keyset import Cursor
from models.session import transaction
from models.user import NewUser, Role
from tests.builders import Builder, new_id

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaA"


def newcomer(**changes: str | None) -> NewUser:
    """A user who may sign up."""
    new = NewUser(new_id(), "ann@example.com", Role.CLIENT, "Ann B", "Ann", "B", "+491701234567", None, HASH)
    return new._replace(**changes)


def sign_up(world: Builder, new: NewUser) -> bool:
    """True if the user was stored."""
    with transaction(world.gateway) as connection:
        return user.sign_up(connection, new)


def test_new_user_is_active_unconfirmed_and_not_onboarded(world):
    new = newcomer()
    assert sign_up(world, new)
    with transaction(world.worker) as connection:
        kept = user.by_id(connection, new.id)
        assert kept == user.by_email(connection, "ANN@EXAMPLE.COM")
        assert kept[:8] == (new.id, new.email, "client", "Ann B", "Ann", "B", "+491701234567", None)
        assert (kept.is_active, kept.is_confirmed) == (True, False)
        assert user.password_hash(connection, new.id) == HASH
        assert [found.id for found in user.to_welcome(connection, 10)] == [new.id]


def test_email_and_phone_number_are_unique(world):
    assert sign_up(world, newcomer())
    assert not sign_up(world, newcomer(id=new_id(), phone_number="+491701234568"))
    assert not sign_up(world, newcomer(id=new_id(), email="bob@example.com"))
    with transaction(world.gateway) as connection:
        assert user.taken_field(connection, "Ann@Example.com", "+491701234567") == "email"
        assert user.taken_field(connection, "bob@example.com", "+491701234567") == "phone_number"
        assert user.taken_field(connection, "bob@example.com", None) is None


def test_user_is_onboarded_once(world):
    waiting = new_id()
    with transaction(world.worker) as connection:
        assert user.create(connection, waiting, "a@example.com", Role.CLIENT, "A", is_welcomed=False)
        assert user.create(connection, new_id(), "b@example.com", Role.CLIENT, "B")
    with transaction(world.worker) as first, transaction(world.worker) as second:
        assert [found.id for found in user.to_welcome(first, 10)] == [waiting]
        assert user.to_welcome(second, 10) == [], "another worker has claimed the user"
        user.note_welcomed(first, [waiting])
    with transaction(world.worker) as connection:
        assert user.to_welcome(connection, 10) == []


def test_user_changes_their_profile(world):
    new = newcomer()
    assert sign_up(world, new)
    assert sign_up(world, newcomer(id=new_id(), email="bob@example.com", phone_number="+491701234568"))
    with transaction(world.gateway) as connection:
        assert user.change(connection, new.id, "Annie B", "Annie", "B", None, "https://example.com")
        assert user.by_id(connection, new.id)[3:8] == ("Annie B", "Annie", "B", None, "https://example.com")
        user.set_password(connection, new.id, HASH + "x")
        assert user.password_hash(connection, new.id) == HASH + "x"
        user.confirm_email(connection, new.id)
        user.set_active(connection, new.id, False)
        changed = user.by_id(connection, new.id)
        assert (changed.is_confirmed, changed.is_active) == (True, False)
    with world.gateway.connect() as connection:
        assert not user.change(connection, new.id, "Annie B", "Annie", "B", "+491701234568", None), "it is Bob's"


def test_users_are_paged(world):
    ids = [world.user(role) for role in (Role.CLIENT, Role.MERCHANT, Role.CLIENT, Role.OPS)]
    with transaction(world.gateway) as connection:
        user.set_active(connection, ids[2], False)

        def found(**wanted: object) -> list[str]:
            return [row.id for row in user.page(connection, 10, **wanted)]

        assert found() == [ids[3], ids[1], ids[0]]
        assert found(is_active=None) == ids[::-1]
        assert found(is_active=False) == [ids[2]]
        assert found(role="client", is_active=None) == [ids[2], ids[0]]
        assert found(email=f"{ids[1]}@EXAMPLE.com") == [ids[1]]
        assert found(at=Cursor(before=ids[1])) == [ids[0]]
        assert found(at=Cursor(after=ids[0])) == [ids[1], ids[3]]
