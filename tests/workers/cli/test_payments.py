"""`flask payments` and `flask users`, as ops call them."""

import json
import re
from collections.abc import Callable, Sequence
from uuid import uuid4

import pytest
import redis
from click.testing import Result
from flask import Flask

from celery_config import WELCOME
from celery_config import app as celery_app
from models import audit, health, user
from models.bank_return import Return
from models.payout import Payout
from models.rules.retry import ATTEMPTS_MAX
from models.session import transaction
from tests.workers.books import Books
from workers import process
from workers.cli.payments import payments_cli
from workers.cli.users import users_cli
from workers.posting.poster import Poster
from workers.rails.base import BankUpdate, PayoutAnswer, PayoutState
from workers.rails.payouts import PayoutSender

Run = Callable[..., Result]


@pytest.fixture
def flask(books: Books, bells: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`flask WORDS...` in the worker's role; its result, whose exit code is 0 unless `fails`."""
    monkeypatch.setattr(process, "engine", lambda: books.worker)
    monkeypatch.setattr(process, "poster", books.poster)
    app = Flask(__name__)
    app.cli.add_command(payments_cli)
    app.cli.add_command(users_cli)

    def run(*words: str, fails: bool = False) -> Result:
        result = app.test_cli_runner().invoke(args=words)
        assert (result.exit_code != 0) == fails, result.output
        return result

    return run


@pytest.fixture
def waiting(books: Books) -> str:
    """A payment that waits to be posted."""
    alice, source = books.client(10_00)
    _, target = books.client()
    return books.order("transfer", alice, source, target, 4_00)


@pytest.fixture
def parked(books: Books, waiting: str) -> str:
    """A payment that could not be posted and was set aside."""
    books.poison(waiting)
    for _ in range(ATTEMPTS_MAX):
        books.make_due(waiting)
        books.poster().drain()
    books.cure()
    assert books.kept(waiting).is_parked
    return waiting


def audited(books: Books, target: str) -> list[tuple[object, ...]]:
    with transaction(books.worker) as connection:
        lines = audit.about(connection, target)
    return [(line["actor"], line["action"], line["reason"]) for line in lines]


def listed(result: Result) -> list[str]:
    return [json.loads(line)["id"] for line in result.output.splitlines()]


def test_stuck_lists_what_waits_too_long(flask: Run, waiting: str) -> None:
    assert flask("payments", "stuck", "--older-than", "3600").output == "none\n"
    assert listed(flask("payments", "stuck", "--older-than", "0", "--json")) == [waiting]
    shown = json.loads(flask("payments", "stuck", "--older-than", "0", "--json").output)
    assert (shown["amount"], shown["currency"]) == ("4.00", "EUR")
    line = flask("payments", "stuck", "--older-than", "0").output.splitlines()[1]
    assert re.fullmatch(rf"{waiting}  transfer  4\.00 EUR  \d+ seconds? ago +\d+ seconds? ago +0", line)


def test_stuck_says_what_helps(flask: Run, waiting: str) -> None:
    assert "flask payments sweep" in flask("payments", "stuck", "--older-than", "0").output
    assert "sweep" not in flask("payments", "stuck", "--older-than", "3600").output


class Failing:
    """A bank that answers every call with one outcome."""

    name, batch_max = "failing", 10

    def __init__(self, answer: PayoutState) -> None:
        self.outcome = PayoutAnswer(answer, f"the bank said {answer}")

    def submit(self, instructions: Sequence[Payout]) -> dict[str, PayoutAnswer]:
        return {one.payment_id: self.outcome for one in instructions}

    inquire = submit

    def news(self, position: str) -> tuple[list[BankUpdate | Return], str]:
        return [], position


def withdrawal(books: Books) -> str:
    """A withdrawal whose money is held, and that the bank is to be told of."""
    client, wallet = books.client(1_00)
    id = books.order("withdrawal", client, wallet, books.technical("wire"), 1_00)
    books.poster().drain()
    assert books.kept(id).state == "AUTHORIZED"
    return id


@pytest.mark.parametrize("answer", [PayoutState.UNKNOWN, PayoutState.AWAY, PayoutState.PENDING])
def test_undecided_lists_what_the_bank_has_not_ended_from_the_first_try(
    flask: Run, books: Books, answer: PayoutState
) -> None:
    id = withdrawal(books)
    assert flask("payments", "undecided").output == "none\n", "no try yet"
    PayoutSender(books.worker, Failing(answer)).send()
    shown = json.loads(flask("payments", "undecided", "--json").output)
    assert (shown["id"], shown["last_error"]) == (id, f"the bank said {answer}")
    assert shown["attempts"] == (1 if answer is PayoutState.UNKNOWN else 0)
    assert shown["parked_at"] is None
    for other in (("parked",), ("stuck", "--older-than", "0")):
        assert flask("payments", *other).output == "none\n"
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET due_at = now()")
    PayoutSender(books.worker, Failing(PayoutState.CONFIRMED)).send()
    assert flask("payments", "undecided").output == "none\n"
    books.poster().drain()


def test_undecided_lists_what_nobody_tries(flask: Run, books: Books) -> None:
    id = withdrawal(books)
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE instructions SET due_at = now() - interval '61 seconds'")
    assert listed(flask("payments", "undecided", "--json")) == [id]


def test_what_the_bank_fails_to_answer_is_a_problem_after_a_minute(books: Books) -> None:
    def codes() -> list[str]:
        with transaction(books.worker) as connection:
            found = health.report(connection, broker_is_up=True)
        return [problem.code for problem in found.problems if problem.code == "payments_undecided"]

    id = withdrawal(books)
    PayoutSender(books.worker, Failing(PayoutState.UNKNOWN)).send()
    assert codes() == []
    with books.superuser.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql("UPDATE payments SET created_at = now() - interval '61 s' WHERE id = %s", (id,))
    assert codes() == ["payments_undecided"]


def test_parked_lists_what_waits_for_a_person(flask: Run, parked: str) -> None:
    shown = json.loads(flask("payments", "parked", "--json").output)
    assert (shown["id"], shown["attempts"]) == (parked, ATTEMPTS_MAX)
    assert "poison" in shown["last_error"]
    assert flask("payments", "stuck", "--older-than", "0").output == "none\n", "parked is not stuck"


def test_retry_by_id_makes_it_due_rings_and_is_audited(
    flask: Run, books: Books, bells: redis.Redis, parked: str
) -> None:
    result = flask("payments", "retry", parked, "--reason", "the row is mended")
    assert "1 are due now" in result.output
    kept = books.kept(parked)
    assert (kept.attempts, kept.is_parked, kept.due_in_seconds <= 0) == (0, False, True)
    assert bells.llen("payments") == 1
    assert audited(books, parked) == [("shell", "payments.retry", "the row is mended")]
    books.poster().drain()
    assert books.kept(parked).state == "COMPLETED"
    assert "0 are due now, 1 are final" in flask("payments", "retry", parked, "--reason", "again").output
    assert len(audited(books, parked)) == 1, "what is final is not touched, so there is nothing to note"


def test_retry_with_dry_run_only_says_which(flask: Run, books: Books, bells: redis.Redis, parked: str) -> None:
    result = flask("payments", "retry", "--parked", "--reason", "to see", "--dry-run")
    assert parked in result.output
    assert "1 would be due now" in result.output
    assert books.kept(parked).is_parked
    assert audited(books, parked) == []
    assert bells.llen("payments") == 0


def test_retry_of_all_parked(flask: Run, books: Books, parked: str) -> None:
    flask("payments", "retry", "--parked", "--reason", "mended")
    flask("payments", "sweep")
    assert books.kept(parked).state == "COMPLETED"


def test_retry_of_all_stuck(flask: Run, books: Books, waiting: str) -> None:
    books.poison(waiting)
    books.poster().drain()
    assert books.kept(waiting).due_in_seconds > 0
    flask("payments", "retry", "--stuck", "--older-than", "0", "--reason", "no patience")
    kept = books.kept(waiting)
    assert (kept.attempts, kept.due_in_seconds <= 0) == (0, True)


def test_retry_wants_one_choice_a_reason_and_payments_that_exist(flask: Run, parked: str) -> None:
    assert "name payments by id" in flask("payments", "retry", "--reason", "x", fails=True).output
    assert "name payments by id" in flask("payments", "retry", parked, "--parked", "--reason", "x", fails=True).output
    assert "--reason" in flask("payments", "retry", parked, fails=True).output
    stranger = str(uuid4())
    assert stranger in flask("payments", "retry", parked, stranger, "--reason", "x", fails=True).output


def test_retry_tells_when_the_broker_is_away(
    flask: Run, books: Books, parked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(celery_app.conf, "broker_url", "redis+socket:///nowhere/valkey.sock")
    monkeypatch.setattr("celery_config._publishing", None)
    result = flask("payments", "retry", parked, "--reason", "mended")
    assert "flask payments sweep" in result.output
    assert books.kept(parked).attempts == 0


def test_show_tells_the_whole_story(flask: Run, books: Books, parked: str) -> None:
    flask("payments", "retry", parked, "--reason", "mended")
    flask("payments", "sweep")
    story = json.loads(flask("payments", "show", parked).output)
    assert (story["id"], story["state"], story["amount"], story["currency"]) == (parked, "COMPLETED", "4.00", "EUR")
    assert [operation["amount"] for operation in story["operations"]] == ["-4.00", "4.00"]
    assert [event["name"] for event in story["events"]] == [
        "payment.initiated",
        "payment.parked",
        "payment.completed",
    ]
    assert [line["reason"] for line in story["audit"]] == ["mended"]
    assert story["audit"][0]["before"]["attempts"] == ATTEMPTS_MAX
    stranger = str(uuid4())
    assert f"there is no payment {stranger}" in flask("payments", "show", stranger, fails=True).output


def test_sweep_posts_what_is_due(flask: Run, books: Books, waiting: str) -> None:
    assert flask("payments", "sweep").output == "1 payments posted, nothing of what was due is left\n"
    assert books.kept(waiting).state == "COMPLETED"
    assert flask("payments", "sweep").output == "0 payments posted, nothing of what was due is left\n"


def test_sweep_ends_after_what_was_due_at_its_start(flask: Run, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though more becomes due all the time."""
    poster, later = books.poster(), []
    alice, source = books.client(100_00)
    _, target = books.client()
    first = books.order("transfer", alice, source, target, 1_00)

    def drain() -> tuple[int, bool]:
        assert len(later) < 3, "it goes on with what became due meanwhile"
        posted, _ = Poster.drain(poster)
        later.append(books.order("transfer", alice, source, target, 1_00))
        return posted, True

    monkeypatch.setattr(process, "poster", lambda: poster)
    monkeypatch.setattr(poster, "drain", drain)
    assert flask("payments", "sweep").output == "1 payments posted, nothing of what was due is left\n"
    assert (books.kept(first).state, books.kept(later[0]).state) == ("COMPLETED", "INITIATED")


def test_sweep_gives_up_on_what_somebody_else_holds(
    flask: Run, books: Books, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poster = books.poster()
    monkeypatch.setattr(process, "poster", lambda: poster)
    monkeypatch.setattr(poster, "drain", lambda: (0, True))
    assert "locked by another transaction" in flask("payments", "sweep", fails=True).output
    assert books.kept(waiting).state == "INITIATED"


def test_users_create_shows_a_token_that_is_kept_only_as_a_hash(flask: Run, books: Books) -> None:
    email = f"{uuid4()}@example.com"
    made = json.loads(flask("users", "create", email, "--role", "merchant", "--name", "Shop", "--json").output)
    assert made.keys() == {"id", "email", "token"}
    assert made["email"] == email
    with books.as_owner() as connection:
        role, name, hash, last4 = connection.exec_driver_sql(
            "SELECT role, u.name, encode(hash, 'escape'), last4 FROM users u JOIN tokens t ON t.user_id = u.id"
            " WHERE u.id = %s",
            (made["id"],),
        ).one()
    assert (role, name, last4) == ("merchant", "Shop", made["token"][-4:])
    assert made["token"] not in hash
    assert audited(books, made["id"]) == [("shell", "users.create", None)]


def test_users_create_refuses_a_taken_address_in_any_case(flask: Run) -> None:
    local = str(uuid4())
    flask("users", "create", f"{local}@example.com", "--role", "client")
    refused = flask("users", "create", f"{local.upper()}@Example.com", "--role", "client", fails=True)
    assert "is taken" in refused.output


@pytest.mark.parametrize(
    "email",
    ["nobody", "@example.com", "a@", "a b@example.com", "a\x07@example.com", "a@localhost", f"a@{'b.' * 130}com"],
)
def test_users_create_refuses_what_is_no_address(flask: Run, email: str) -> None:
    assert "not an e-mail address" in flask("users", "create", email, "--role", "client", fails=True).output


def test_users_create_with_wallets_leaves_a_client_to_be_welcomed_and_rings(
    flask: Run, books: Books, bells: redis.Redis
) -> None:
    spelt = "\u00a0carol@example.com\u200b\u2003"
    made = json.loads(flask("users", "create", spelt, "--role", "client", "--wallets", "--json").output)
    assert made["email"] == "carol@example.com"
    assert [json.loads(bell)["headers"]["task"] for bell in bells.lrange("upkeep", 0, -1)] == [WELCOME]
    flask("users", "create", "dave@example.com", "--role", "client")
    with transaction(books.worker) as connection:
        assert [one.id for one in user.to_welcome(connection, 9)] == [made["id"]]
    assert (
        "is for clients"
        in flask("users", "create", "s@example.com", "--role", "merchant", "--wallets", fails=True).output
    )


def test_users_create_with_wallets_while_the_broker_is_away(flask: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(celery_app.conf, "broker_url", "redis+socket:///nowhere/valkey.sock")
    monkeypatch.setattr("celery_config._publishing", None)
    result = flask("users", "create", "carol@example.com", "--role", "client", "--wallets", "--json")
    assert "the timetable finds the user" in result.stderr
    assert json.loads(result.stdout)["email"] == "carol@example.com"


def test_users_deactivate_and_activate(flask: Run, books: Books) -> None:
    id = json.loads(flask("users", "create", "carol@example.com", "--role", "client", "--json").output)["id"]
    for command, is_active in (("deactivate", False), ("activate", True)):
        flask("users", command, "\u00a0Carol@\u200bExample.com\u2009", "--reason", "asked for it")
        with transaction(books.worker) as connection:
            assert user.by_id(connection, id).is_active is is_active
    assert audited(books, id)[1:] == [
        ("shell", "users.deactivate", "asked for it"),
        ("shell", "users.activate", "asked for it"),
    ]
    assert "--reason" in flask("users", "deactivate", "carol@example.com", fails=True).output
    refused = flask("users", "deactivate", "nobody@example.com", "--reason", "x", fails=True)
    assert "there is no user nobody@example.com" in refused.output


def test_partitions_are_made_and_one_that_cannot_be_is_told(flask: Run, books: Books) -> None:
    assert flask("payments", "partitions").output == "0 partitions created\n"
    months = "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', %s)"
    with books.as_owner() as connection:
        suffix = connection.exec_driver_sql(months, ("_YYYY_MM",)).scalar_one()
        connection.exec_driver_sql(f"DROP TABLE payments{suffix}")
    assert flask("payments", "partitions").output == "1 partitions created\n"
    with books.as_owner() as connection:
        connection.exec_driver_sql(f"ALTER TABLE payments DETACH PARTITION payments{suffix}")
        month = connection.exec_driver_sql(months, ("YYYY-MM",)).scalar_one()
    told = flask("payments", "partitions", fails=True).output
    assert f"{month} has no partition" in told
    with books.as_owner() as connection:
        connection.exec_driver_sql(f"DROP TABLE payments{suffix}")
        connection.exec_driver_sql("SELECT ensure_partitions()")
