"""A waiting request holds a place and nothing else; what is lost delays it by a second at most."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.auth import tokens as auth
from gateway.auth.tokens import LOOKUPS_AT_ONCE_MAX
from gateway.waiting import waiters
from gateway.waiting.waiters import Waiter, Waiters
from models import change_listener, token
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.ops.stuck_payments import order
from tests.gateway.waiting.clients import QUICK_SECONDS, posting, services_of, timed, waiting
from tests.gateway.waiting.processes import LOST_SECONDS_MAX, PATIENT, another, deafen, deposit, lines
from tests.support import Database, eventually


def test_no_line_to_the_database_is_held(api: ApiHarness, client: ApiUser) -> None:
    ids = [order(client, client.wallet()) for _ in range(50)]
    polls = [lambda id=id: client.get(f"/v1/payments/{id}", **PATIENT) for id in ids]
    with waiting(api, *polls) as answers:
        pool = services_of(api).engine.pool
        eventually(lambda: pool.checkedout() == 0, message="fifty wait, and none holds a line")
        eventually(lambda: lines(api, "count(*)") == 1)
        api.post_payments()
    assert {answer.result().payment["state"] for answer in answers} == {"COMPLETED"}
    assert max(answer.result().seconds for answer in answers) < QUICK_SECONDS
    assert len(services_of(api).waiters) == 0


def test_above_the_cap_of_the_process_the_answer_comes_at_once(database: Database) -> None:
    with another(database, waiters_max=2) as api:
        people = [api.person() for _ in range(3)]
        wallets = [person.wallet() for person in people]
        calls = [deposit(person, wallet, **PATIENT) for person, wallet in zip(people, wallets, strict=True)]
        with waiting(api, *calls[:2]) as answers:
            crowded = timed(calls[2])
            polled = timed(lambda: people[2].get(crowded.answer.headers["Location"], **PATIENT))
            api.post_payments()
        assert [answer.result().status for answer in answers] == [201, 201]
        assert (crowded.status, crowded.applied, crowded.payment["state"]) == (202, None, "INITIATED")
        assert (polled.status, polled.applied) == (200, None)
        assert max(crowded.seconds, polled.seconds) < QUICK_SECONDS
        with posting(api):
            assert timed(calls[2]).status == 201, "the places were given back"


def test_user_at_the_cap_keeps_no_others_from_waiting(database: Database) -> None:
    with another(database, waiters_max=4, waiters_per_user_max=2) as api:
        greedy, other = api.person(), api.person()
        wallet, others = greedy.wallet(), other.wallet()
        with waiting(api, *[deposit(greedy, wallet, **PATIENT)] * 2) as answers:
            crowded = timed(deposit(greedy, wallet, **PATIENT))
            with waiting(api, deposit(other, others, **PATIENT)) as [fair]:
                api.post_payments()
        assert [answer.result().status for answer in answers] == [201, 201]
        assert (crowded.status, crowded.applied) == (202, None)
        assert (fair.result().status, fair.result().applied) == (201, "wait=25")


@pytest.mark.parametrize("end", ["revoked", "deactivated"])
def test_caller_without_access_after_the_wait_is_refused(api: ApiHarness, end: str) -> None:
    person = api.person()
    id = order(person, person.wallet())
    calls = [lambda: person.get(f"/v1/payments/{id}", **PATIENT), deposit(person, person.wallet(), **PATIENT)]
    with waiting(api, *calls) as [poll, ordered]:
        if end == "revoked":
            api.execute("UPDATE tokens SET revoked_at = now() WHERE user_id = %s", person.id)
        else:
            api.execute("UPDATE users SET is_active = false WHERE id = %s", person.id)
        services_of(api).tokens.forget_all()
        api.post_payments()
    for answer in (poll, ordered):
        assert answer.result().payment["code"] == ("token_invalid" if end == "revoked" else "user_inactive")
        assert answer.result().status == (401 if end == "revoked" else 403)


def test_hundred_waiters_woken_at_once_are_authenticated_once(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_SECONDS", 60)  # those that wake late are still cached
    lookups, bearer = [], token.bearer
    monkeypatch.setattr(token, "bearer", lambda *arguments: lookups.append(arguments) or bearer(*arguments))
    id = order(client, client.wallet())
    with waiting(api, *[lambda: client.get(f"/v1/payments/{id}", **PATIENT)] * 100) as answers:
        services_of(api).tokens.forget_all()
        lookups.clear()
        api.post_payments()
    assert {answer.result().payment["state"] for answer in answers} == {"COMPLETED"}
    assert 0 < len(lookups) <= LOOKUPS_AT_ONCE_MAX


class Moment:
    """A place in the code that a thread reaches, and stands still at until it is let go."""

    def __init__(self) -> None:
        self.reached, self.free = threading.Event(), threading.Event()

    def pass_by(self) -> None:
        self.reached.set()
        assert self.free.wait(QUICK_SECONDS)


@pytest.mark.parametrize("moment", ["before the place is taken", "after the place is taken", "before the wait begins"])
@pytest.mark.parametrize("is_heard", [True, False])
def test_a_transition_at_the_worst_moment(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch, moment: str, is_heard: bool
) -> None:
    """The payment is posted, and all of it heard or not, while the request stands still between two steps.

    What is heard is not looked for as well, and is remembered for as long as that takes.
    """
    wallet, stop = client.wallet(), Moment()
    with waiting(api, deposit(client, wallet, **PATIENT)):
        api.post_payments()  # so the line is there already
    take, next_ = Waiters._add, Waiter.next
    if moment == "before the place is taken":
        monkeypatch.setattr(Waiters, "_add", lambda self, place: stop.pass_by() or take(self, place))
    elif moment == "after the place is taken":
        monkeypatch.setattr(Waiters, "_add", lambda self, place: [take(self, place), stop.pass_by()][0])
    else:
        monkeypatch.setattr(Waiter, "next", lambda self, *arguments: stop.pass_by() or next_(self, *arguments))
    if is_heard:
        monkeypatch.setattr(waiters, "REMEMBERED_SECONDS", 60)
        monkeypatch.setattr(change_listener, "versions", lambda *_: {})
    else:
        deafen(monkeypatch)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(timed, deposit(client, wallet, **PATIENT))
        assert stop.reached.wait(QUICK_SECONDS)
        api.post_payments()
        if is_heard:
            newest = api.execute("SELECT id::text FROM payments ORDER BY id DESC LIMIT 1")[0]
            eventually(lambda: newest in services_of(api).waiters._notified)
        stop.free.set()
        began = timed(answer.result).seconds
    assert (answer.result().status, answer.result().payment["state"]) == (201, "COMPLETED")
    assert began < (QUICK_SECONDS if is_heard else LOST_SECONDS_MAX)


def test_what_is_not_heard_is_read_within_a_second(
    api: ApiHarness, client: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = client.wallet()
    deafen(monkeypatch)
    with waiting(api, *[deposit(client, wallet, **PATIENT)] * 5) as answers:
        api.post_payments()
        assert timed(lambda: [answer.result() for answer in answers]).seconds < LOST_SECONDS_MAX
    assert {answer.result().status for answer in answers} == {201}


def test_change_without_notification_is_read_within_a_second(api: ApiHarness, client: ApiUser) -> None:
    """A payment tried in vain has another version, and no event."""
    id = order(client, client.wallet())
    tag = client.get(f"/v1/payments/{id}").headers["ETag"]
    poll = lambda: client.get(f"/v1/payments/{id}", **PATIENT, **{"If-None-Match": tag})  # noqa: E731
    with waiting(api, poll) as [answer]:
        with transaction(api.worker) as connection:
            connection.exec_driver_sql("UPDATE payments SET attempts = attempts + 1 WHERE id = %s", (id,))
        assert timed(answer.result).seconds < LOST_SECONDS_MAX
    assert (answer.result().status, answer.result().payment["attempts"]) == (200, 1)


def test_the_line_is_cut_and_comes_back(api: ApiHarness, client: ApiUser) -> None:
    wallet = client.wallet()
    with waiting(api, *[deposit(client, wallet, **PATIENT)] * 5) as answers:
        eventually(lambda: lines(api, "bool_or(pg_terminate_backend(pid))"))
        api.post_payments()
        lost = timed(lambda: [answer.result() for answer in answers])
    assert {answer.result().status for answer in answers} == {201}
    assert lost.seconds < LOST_SECONDS_MAX + waiters.RECONNECT_SECONDS
    with posting(api):
        assert timed(deposit(client, wallet, **PATIENT)).status == 201


def test_five_hundred_at_once_while_they_are_posted(api: ApiHarness) -> None:
    people = [api.person() for _ in range(10)]
    wallets = [person.wallet() for person in people]
    with posting(api), ThreadPoolExecutor(64) as pool:
        calls = [deposit(people[n % 10], wallets[n % 10], **PATIENT) for n in range(500)]
        answers = list(pool.map(timed, calls))
    assert {(answer.status, answer.payment["state"]) for answer in answers} == {(201, "COMPLETED")}
    assert max(answer.seconds for answer in answers) < QUICK_SECONDS
    assert len(services_of(api).waiters) == 0


def test_all_waiters_are_answered_at_shutdown(database: Database) -> None:
    with another(database) as api:
        client = api.person()
        wallet = client.wallet()
        id = order(client, wallet)
        calls = [deposit(client, wallet, **PATIENT), lambda: client.get(f"/v1/payments/{id}", **PATIENT)]
        with waiting(api, *calls) as [ordered, polled]:
            services_of(api).waiters.close()
        assert (ordered.result().status, polled.result().status) == (202, 200)
        late = timed(deposit(client, wallet, **PATIENT))
        assert (late.status, late.applied) == (202, None)
        assert max(late.seconds, ordered.result().seconds, polled.result().seconds) < QUICK_SECONDS
