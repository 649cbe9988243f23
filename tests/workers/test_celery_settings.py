"""The settings without which a message, a worker or a night is lost; each was measured."""

import pytest

from celery_config import DISPATCH, INSTRUCT, POST, QUEUES, app
from embedded.home import CHECKOUT
from embedded.shapes import WORKER

SETTINGS = {
    "task_serializer": "json",
    "accept_content": ["json"],
    "result_backend": None,
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_retry_on_worker_lost": True,
    "task_annotations": {"*": {"max_retries": 3, "default_retry_delay": 2}},
    "task_publish_retry": False,
    "task_publish_retry_policy": {"max_retries": 0},
    "task_soft_time_limit": 20,
    "task_time_limit": 30,
    "task_create_missing_queues": False,
    "worker_prefetch_multiplier": 1,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_soft_shutdown_timeout": 25,
    "worker_enable_remote_control": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_channel_error_retry": True,
}
TRANSPORT = {
    "visibility_timeout": 120,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "health_check_interval": 10,
    "unacked_restore_throttle": 1,
    "master_name": "payments",
    "read_timeout": 5,
    "write_timeout": 5,
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_have_the_measured_values(name: str) -> None:
    assert app.conf[name] == SETTINGS[name]


def test_transport_gives_up_in_time() -> None:
    assert app.conf.broker_transport_options == TRANSPORT


def test_task_limit_is_below_the_visibility_timeout() -> None:
    assert app.conf.task_soft_time_limit < app.conf.task_time_limit < TRANSPORT["visibility_timeout"] / 2


def test_every_routed_queue_is_consumed() -> None:
    app.loader.import_default_modules()
    assert {queue.name for queue in app.conf.task_queues} == set(QUEUES)
    names = [name for name in app.tasks if name.startswith("workers.")]
    routed = {name: app.amqp.router.route({}, name)["queue"].name for name in names}
    assert set(routed.values()) == set(QUEUES)
    assert (routed[POST], routed[INSTRUCT], routed[DISPATCH]) == ("payments", "rails", "webhooks")
    timed = {app.amqp.router.route({}, entry["task"])["queue"].name for entry in app.conf.beat_schedule.values()}
    assert timed == set(QUEUES), "every worker has a task by the clock, which says that it lives"


def test_tasks_have_no_expiry_by_the_system_clock() -> None:
    """`expires` and `eta` are times of one process that another would hold against its own."""
    for entry in app.conf.beat_schedule.values():
        assert entry.keys() == {"task", "schedule"}
    assert app.conf.beat_scheduler == "timetable:MonotonicScheduler"


@pytest.mark.parametrize("option", ["--without-gossip", "--without-mingle", "--without-heartbeat"])
def test_workers_do_not_gossip(option: str) -> None:
    """No other worker needs it; while the broker is frozen, a worker would keep trying and not end on a signal."""
    composed = (CHECKOUT / "docker-compose.yml").read_text()
    assert option in WORKER
    assert composed.count(option) == composed.count("celery_config worker") == len(QUEUES)
