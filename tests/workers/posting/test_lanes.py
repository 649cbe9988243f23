"""A backlog posted on several connections at once ends as if one batch had been posted after the other."""

import random
import threading
from contextlib import suppress

import pytest

from models import account, posting_lock
from models.rules.charge_limits import ChargeLimit
from models.session import Contention, DatabaseUnavailable, transaction
from tests.workers.books import Books
from tests.workers.posting.backlogs import BATCH, Posters, at_first, in_order, post_all, source
from workers.posting.batch_point import BatchPoint

pytestmark = pytest.mark.shares_books

PAYMENTS = 60


def mixed(books: Books, seed: int) -> tuple[list[str], list[str]]:
    """The ids of payments of all kinds among a few wallets, some of which do not pass, and the wallets."""
    chance = random.Random(seed)
    shop = books.user("merchant")
    owners = [books.client(chance.randint(1, 20) * 1_00) for _ in range(4)]
    wallets = [wallet for _, wallet in owners]
    till = books.wallet(shop)
    with transaction(books.gateway) as connection:
        limited = account.wallet_by_id(connection, wallets[0])
        limit = ChargeLimit(None, None, chance.randint(2, 8) * 1_00)
        assert account.change_wallet(connection, limited._replace(charge_limits=(limit,))) is not None
    ids, charges = [], []
    for _ in range(PAYMENTS):
        owner, source = chance.choice(owners)
        amount = chance.randint(1, 5) * 1_00
        kind = chance.choices(("transfer", "charge", "hold", "refund"), (5, 3, 1, 2))[0]
        if kind == "transfer":
            ids.append(books.transfer(owner, source, chance.choice([w for w in wallets if w != source]), amount))
        elif kind == "refund" and charges:
            charge, wallet = chance.choice(charges)
            ids.append(books.order("refund", shop, till, wallet, amount // 2, parent_id=charge))
        else:
            ids.append(books.order("charge", shop, source, till, amount, capture=kind != "hold"))
            charges.append((ids[-1], source))
    return ids, [*wallets, till]


@pytest.mark.parametrize("seed", range(6))
def test_outcomes_and_order_are_those_of_one_lane(books: Books, poster: Posters, seed: int) -> None:
    ids, wallets = mixed(books, seed)
    post_all(poster(lanes=1))
    twins, twin_wallets = mixed(books, seed)
    post_all(poster(lanes=2 + seed % 3, batch=2 + seed))
    assert books.outcomes(twins) == books.outcomes(ids)
    assert len(set(books.outcomes(ids))) > 2, "some of them did not pass"
    for wallet, twin in zip(wallets, twin_wallets, strict=True):
        assert [twins.index(id) for id in books.decided(twin) if id in twins] == [
            ids.index(id) for id in books.decided(wallet) if id in ids
        ]
    assert books.violations() == []


def test_what_changed_since_a_batch_was_decided_is_obeyed(
    books: Books, poster: Posters, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = books.transfers(3 * BATCH)

    def freeze() -> None:
        with books.superuser.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.exec_driver_sql("UPDATE accounts SET is_frozen = true WHERE id = %s", (source(books, ids[0]),))

    calls = at_first(monkeypatch, "post_verdicts", freeze)
    post_all(poster())
    assert calls
    assert books.outcomes(ids) == ["COMPLETED"] * BATCH + ["account_frozen"] * 2 * BATCH
    assert books.violations() == []


def test_poisoned_payment_ends_alone_among_lanes(books: Books, poster: Posters) -> None:
    ids = books.transfers(4 * BATCH)
    books.poison(ids[2 * BATCH + 1])
    post_all(poster())
    books.cure()
    assert books.kept(ids[2 * BATCH + 1]).attempts == 1
    assert [books.kept(id).state for id in ids].count("COMPLETED") == 4 * BATCH - 1
    assert books.violations() == []


KILL_A_LANE = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = %s
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1
"""


@pytest.mark.parametrize("lock", [posting_lock.POSTING_LOCK, posting_lock.LANES_LOCK])
@pytest.mark.parametrize("name", ["post_verdicts", "post_entries"])
def test_lost_connection_loses_and_doubles_nothing(
    books: Books, poster: Posters, monkeypatch: pytest.MonkeyPatch, name: str, lock: int
) -> None:
    """Of the leader, and of a lane."""
    ids, killed = books.transfers(6 * BATCH), []

    def kill() -> None:
        with books.superuser.connect() as connection:
            killed.extend(connection.exec_driver_sql(KILL_A_LANE, (lock,)).scalars())

    at_first(monkeypatch, name, kill)
    with suppress(DatabaseUnavailable):
        post_all(poster())
    assert killed == [True]
    post_all(poster())
    assert in_order(books, ids) == ids
    assert {books.kept(id).attempts for id in ids} == {0}
    assert books.violations() == []


class Dies(BaseException):
    """The process ends here, as far as the database can see."""


@pytest.mark.parametrize("point", BatchPoint)
@pytest.mark.parametrize("batches", [1, 2, 4])
def test_death_at_any_point_of_a_lane_loses_nothing(
    books: Books, poster: Posters, point: BatchPoint, batches: int
) -> None:
    ids, reached, turn = books.transfers(12 * BATCH), [], threading.Lock()

    def die(at: BatchPoint) -> None:
        with turn:
            reached.append(at)
            if reached.count(point) > batches:
                raise Dies

    first = poster()
    first.hook = die
    with pytest.raises(Dies):
        post_all(first)
    post_all(poster())
    assert in_order(books, ids) == ids
    assert {books.kept(id).attempts for id in ids} == {0}
    assert books.violations() == []


def test_others_wait_until_all_lanes_have_ended(books: Books, poster: Posters) -> None:
    ids, seen = books.transfers(4 * BATCH), []
    hasty = books.poster(books.impatient_worker(lock_timeout="10ms"))

    def try_to_post(point: BatchPoint) -> None:
        if point is BatchPoint.WRITTEN and threading.current_thread().name.startswith("lane"):
            seen.append(hasty.post_batch())

    first = poster()
    first.hook = try_to_post
    post_all(first)
    assert set(seen) == {None}
    assert in_order(books, ids) == ids


def test_lane_of_a_leader_who_is_none_posts_nothing(books: Books) -> None:
    with transaction(books.worker) as leader:
        number = posting_lock.lead(leader)
        with transaction(books.worker) as lane:
            assert posting_lock.follow(lane, number)
            stand_by = books.impatient_worker(lock_timeout="10ms")
            with pytest.raises(Contention), transaction(stand_by) as other:
                posting_lock.acquire(other)
    with transaction(books.worker) as late:
        assert not posting_lock.follow(late, number)
