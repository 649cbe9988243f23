"""Heartbeats and the audit: who is alive, and who did what."""

from models import audit, heartbeat
from models.session import transaction


def test_worker_is_fresh_after_a_heartbeat_and_stale_later(world):
    with transaction(world.worker) as connection:
        heartbeat.beat(connection, "posting@here")
        heartbeat.beat(connection, "upkeep@here")
    with transaction(world.owner) as connection:
        connection.exec_driver_sql("UPDATE worker_heartbeats SET seen_at = now() - interval '31 seconds'")
    with transaction(world.worker) as connection:
        heartbeat.beat(connection, "upkeep@here")
    with transaction(world.gateway) as connection:
        assert [(beat.name, beat.is_fresh) for beat in heartbeat.recent(connection)] == [
            *(("posting@here", False), ("upkeep@here", True)),
        ]


def test_audit_lists_actions_on_a_target_in_order(world):
    with transaction(world.worker) as connection:
        audit.note(connection, audit.SHELL, "payments.retry", "p", "the bank is back", {"attempts": 8}, {"attempts": 0})
        audit.note(connection, audit.SHELL, "payments.retry", "other")
        audit.note(connection, audit.SHELL, "payments.retry", "p")
        deeds = audit.about(connection, "p")
    assert [(deed["actor"], deed["reason"], deed["before"], deed["after"]) for deed in deeds] == [
        ("shell", "the bank is back", {"attempts": 8}, {"attempts": 0}),
        ("shell", None, None, None),
    ]
