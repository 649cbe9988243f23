"""The tasks, called as a worker calls them: each may run twice or never, and none falls over a server that is away."""

from contextlib import closing
from pathlib import Path

import pytest
import redis
import structlog
from celery import Task
from structlog.testing import LogCapture
from uuid_utils.compat import uuid7

from models import confirmation, heartbeat, payment_command, user, webhook_queue
from models.audit import Actor
from models.payout import Payout
from models.rules import webhook_retry
from models.session import transaction
from tests.support import eventually
from tests.workers.books import Books
from workers import process, tasks
from workers.mail import MailSender
from workers.onboarding import Onboarding
from workers.posting.poster import Poster
from workers.rails.base import PayoutAnswer, PayoutState
from workers.rails.payouts import PayoutSender
from workers.webhooks.dispatcher import Dispatcher
from workers.webhooks.sender import WebhookCall

pytestmark = pytest.mark.shares_books


@pytest.fixture(autouse=True)
def worker(books: Books, bells: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects of a worker process, on the test's books."""
    monkeypatch.setattr(process, "engine", lambda: books.worker)
    monkeypatch.setattr(process, "poster", books.poster)
    monkeypatch.setattr(process, "payout_sender", lambda: PayoutSender(books.worker, Deaf()))
    monkeypatch.setattr(process, "_recorded_at", {})


def run(task: Task) -> None:
    """Run it here as a worker would, and raise what it raises."""
    task.apply(throw=True)


def test_post_posts_due_payments_and_does_not_ring(books: Books, bells: redis.Redis, waiting: str) -> None:
    run(tasks.post)
    assert books.kept(waiting).state == "COMPLETED"
    run(tasks.post)
    assert bells.llen("payments") == 0


def test_post_rings_for_itself_if_its_time_ran_out(
    books: Books, bells: redis.Redis, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poster = books.poster()
    monkeypatch.setattr(process, "poster", lambda: poster)
    monkeypatch.setattr(poster, "drain", lambda: Poster.drain(poster, seconds=0))
    run(tasks.post)
    assert books.kept(waiting).state == "INITIATED"
    assert bells.llen("payments") == 1


def test_post_leaves_payments_to_the_sweep_without_database(
    books: Books, bells: redis.Redis, waiting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = books.open(f"postgresql+psycopg2://unknown@/nothing?host={tmp_path}")
    monkeypatch.setattr(process, "poster", lambda: books.poster(nowhere))
    run(tasks.post)
    assert bells.llen("payments") == 0
    assert books.kept(waiting).attempts == 0


def test_sweep_rings_only_if_anything_is_due(books: Books, bells: redis.Redis, waiting: str) -> None:
    books.poster().drain()
    run(tasks.sweep)
    assert bells.llen("payments") == 0
    alice, source = books.client(1_00)
    due = books.order("transfer", alice, source, books.client()[1], 1_00)
    run(tasks.sweep)
    assert bells.llen("payments") == 1
    assert books.kept(due).state == "INITIATED", "it rings, it does not post"


def test_two_beats_post_each_payment_once(books: Books, bells: redis.Redis, waiting: str) -> None:
    """Each bell may come twice, and the second finds nothing to do."""
    for _ in range(2):
        run(tasks.sweep)
    assert bells.llen("payments") == 1, "one message is enough"
    for _ in range(2):
        run(tasks.post)
    assert books.kept(waiting).state == "COMPLETED"
    assert len(books.events(waiting)) == 2


def test_sweep_finds_the_oldest_payment(books: Books, bells: redis.Redis, waiting: str) -> None:
    """There is no lower bound of age below which work would be forgotten."""
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE payments SET due_at = now() - interval '400 days' WHERE id = %s", (waiting,))
    run(tasks.sweep)
    assert bells.llen("payments") == 1
    run(tasks.post)
    assert books.kept(waiting).state == "COMPLETED"
    run(tasks.sweep)  # which samples the backlog: the oldest of a minute is kept
    with books.as_owner() as connection:
        oldest = connection.exec_driver_sql("SELECT max(oldest_due_seconds), sum(waiting) FROM backlog_samples").one()
        assert (oldest[0] >= 400 * 24 * 3600, oldest[1]) == (True, 1)
        connection.exec_driver_sql("UPDATE backlog_samples SET minute = minute - interval '9 days'")
    run(tasks.forget)
    with books.as_owner() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM backlog_samples").scalar_one() == 0


@pytest.mark.own_books
@pytest.mark.parametrize("task", [tasks.heartbeat, tasks.post, tasks.instruct])
def test_worker_that_completes_tasks_has_a_heartbeat(books: Books, task: Task) -> None:
    for _ in range(2):
        run(task)
    with transaction(books.worker) as connection:
        (seen,) = heartbeat.recent(connection)
        connection.exec_driver_sql("UPDATE worker_heartbeats SET seen_at = now() - interval '31 seconds'")
        (stale,) = heartbeat.recent(connection)
    assert (seen.is_fresh, stale.is_fresh) == (True, False)


@pytest.mark.own_books
@pytest.mark.parametrize(
    ("name", "names"), [("upkeep@a", ["upkeep@a"]), ("housekeeping@a", ["posting@a", "rails@a", "upkeep@a"])]
)
def test_worker_without_messages_is_alive_but_not_heard(
    books: Books, monkeypatch: pytest.MonkeyPatch, name: str, names: list[str]
) -> None:
    """One of several queues has a heartbeat for each."""
    monkeypatch.setattr(process, "worker_name", name)
    for task in (tasks.heartbeat, tasks.post, tasks.instruct):
        task()
    with transaction(books.worker) as connection:
        seen = [(beat.name, beat.is_fresh, beat.hears) for beat in heartbeat.recent(connection)]
    assert seen == [(each, True, False) for each in names]


@pytest.mark.own_books
def test_message_from_beat_records_its_heartbeat(books: Books) -> None:
    for sender, seen in (("shop-1", ["upkeep@a"]), ("beat", ["beat", "upkeep@a"])):
        tasks.heartbeat.push_request(hostname="upkeep@a", request_id=sender)
        tasks.heartbeat.run()
        tasks.heartbeat.pop_request()
        with transaction(books.worker) as connection:
            assert [beat.name for beat in heartbeat.recent(connection) if beat.hears] == seen


def test_partitions_are_created_ahead_once(books: Books) -> None:
    run(tasks.ensure_partitions)
    count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'payments'::regclass"
    with books.as_owner() as connection:
        assert connection.exec_driver_sql(count).scalar_one() == 5


def test_missing_partition_is_reported(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = LogCapture()
    monkeypatch.setattr(tasks, "log", structlog.wrap_logger(None, processors=[capture]))
    with books.as_owner() as connection:
        suffix, month = connection.exec_driver_sql(
            "SELECT to_char(ahead, '_YYYY_MM'), to_char(ahead, 'YYYY-MM')"
            " FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AS next (ahead)"
        ).one()
        connection.exec_driver_sql(f"ALTER TABLE payments DETACH PARTITION payments{suffix}")
    run(tasks.ensure_partitions)
    assert [(line["log_level"], line["months"], line["command"]) for line in capture.entries] == [
        ("error", [month], "flask payments partitions")
    ]


def test_welcome_rings_the_posters_only_after_an_onboarding(
    books: Books, bells: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "onboarding", lambda: Onboarding(books.worker, ["EUR"], "1 EUR", 0))
    run(tasks.welcome)
    assert bells.llen("payments") == 0
    with transaction(books.worker) as connection:
        assert user.create(connection, str(uuid7()), "c@example.com", user.Role.CLIENT, "C", is_welcomed=False)
    run(tasks.welcome)
    assert bells.llen("payments") == 1


class Deaf:
    """A rail whose bank has nothing to say by itself."""

    name, batch_max = "deaf", 1

    def updates(self, position: str) -> tuple[list, str]:
        return [], position

    def submit(self, payouts: list[Payout]) -> dict[str, PayoutAnswer]:
        return {payout.payment_id: PayoutAnswer(PayoutState.CONFIRMED) for payout in payouts}

    inquire = submit


def test_instruct_rings_posters_for_answers_and_itself_for_rest(
    books: Books, bells: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    instructor = PayoutSender(books.worker, Deaf())
    monkeypatch.setattr(process, "payout_sender", lambda: instructor)
    run(tasks.instruct)
    assert (bells.llen("payments"), bells.llen("rails")) == (0, 0)
    client, wallet = books.client(2_00)
    ids = [books.order("withdrawal", client, wallet, books.technical("wire"), 1_00) for _ in range(2)]
    books.poster().drain()
    monkeypatch.setattr(instructor, "drain", lambda: PayoutSender.drain(instructor, seconds=0))
    run(tasks.instruct)
    assert (bells.llen("payments"), bells.llen("rails")) == (0, 1)
    monkeypatch.setattr(instructor, "drain", lambda: PayoutSender.drain(instructor))
    for _ in range(2):
        run(tasks.instruct)
    assert (bells.llen("payments"), bells.llen("rails")) == (1, 1), "one bell is enough"
    run(tasks.post)
    assert [books.kept(id).state for id in ids] == ["COMPLETED"] * 2


def test_mail_sends_due_mails(books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    id = books.user()
    with transaction(books.gateway) as connection:
        assert confirmation.ask(connection, str(uuid7()), id, confirmation.Purpose.EMAIL)
    monkeypatch.setattr(process, "mail_sender", lambda: MailSender(books.worker, f"file://{tmp_path}", "p@example.com"))
    run(tasks.mail)
    assert len(list(tmp_path.glob("*.eml"))) == 1


@pytest.mark.parametrize("task", [tasks.welcome, tasks.mail, tasks.forget, tasks.sweep, tasks.instruct, tasks.dispatch])
def test_tasks_without_database_leave_work_to_the_next_run(
    books: Books, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = books.open(f"postgresql+psycopg2://unknown@/nothing?host={tmp_path}")
    monkeypatch.setattr(process, "engine", lambda: nowhere)
    monkeypatch.setattr(process, "onboarding", lambda: Onboarding(nowhere, ["EUR"], "", 0))
    monkeypatch.setattr(process, "mail_sender", lambda: MailSender(nowhere, f"file://{tmp_path}", "p@example.com"))
    monkeypatch.setattr(process, "payout_sender", lambda: PayoutSender(nowhere, Deaf()))
    with closing(Dispatcher(nowhere, Silent())) as dispatcher:
        monkeypatch.setattr(process, "dispatcher", lambda: dispatcher)
        run(task)


class Silent:
    """Sends nothing."""

    async def send(self, _: WebhookCall) -> webhook_retry.AttemptOutcome:
        return webhook_retry.AttemptOutcome(204, None)


def test_dispatch_sends_and_records_its_heartbeat(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    client, wallet = books.client(1_00)
    books.endpoint(client)
    books.order("transfer", client, wallet, books.client()[1], 1_00)
    books.poster().drain()
    with closing(Dispatcher(books.worker, Silent())) as dispatcher:
        monkeypatch.setattr(process, "dispatcher", lambda: dispatcher)
        run(tasks.dispatch)
        states = "SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'"

        def sent() -> int:
            with books.as_owner() as connection:
                return connection.exec_driver_sql(states).scalar_one()

        assert eventually(lambda: sent() == 2)
    with transaction(books.worker) as connection:
        assert heartbeat.recent(connection)


def test_sweep_rings_for_an_open_command(books: Books, bells: redis.Redis) -> None:
    with transaction(books.gateway) as connection:
        command = payment_command.NewCommand(str(uuid7()), str(uuid7()))
        payment_command.order_retries(connection, [command], Actor(books.user("ops")), "mended")
    run(tasks.sweep)
    assert bells.llen("payments") == 1


def test_long_cleanup_leaves_time_for_other_tasks(bells: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tasks.forget)
    assert bells.llen("upkeep") == 0
    monkeypatch.setattr(webhook_queue, "FORGOTTEN_MAX", 0)
    run(tasks.forget)
    assert bells.llen("upkeep") == 1
