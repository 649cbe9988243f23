"""Before second factors and members: the schema is as it was, and no token does more than it did."""

import pytest

from models import membership, second_factor, token
from models.session import transaction
from models.user import Role
from tests.builders import Builder, new_id, scalar
from tests.migrations.catalogue import catalogue
from tests.support import migrate


def test_a_members_token_ends_with_the_schema_of_members(empty_database):
    world = Builder.of(empty_database)
    migrate(empty_database.owner, "0031")
    before, old_shop = catalogue(world), world.user(Role.CLIENT, "Old")
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE users SET role = 'merchant' WHERE id = %s", (old_shop,))
    migrate(empty_database.owner, "0034")
    shop, ann, key = world.user(Role.MERCHANT, "Shop"), world.user(), new_id()
    with transaction(world.gateway) as connection:
        assert [row.id for row in membership.of_user(connection, old_shop)] == [old_shop]
        assert membership.add(connection, shop, ann, "owner")
        token.keep(connection, key, ann, token.new(), merchant_id=shop)
        assert second_factor.enrol(connection, ann, bytes(48))
        assert second_factor.use_step(connection, ann, 1)
        assert len(second_factor.new_recovery_codes(connection, ann)) == 10
    migrate(empty_database.owner, "0032-1")
    assert catalogue(world) == before
    with transaction(world.owner) as connection:
        assert scalar(connection, "SELECT revoked_at IS NOT NULL FROM tokens WHERE id = %s", key)
    migrate(empty_database.owner, "0034")
    world.user(Role.MEMBER, "Mia")
    with pytest.raises(SystemExit, match="users_role_is_known"):
        migrate(empty_database.owner, "0034-1")
