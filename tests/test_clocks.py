"""Each use of a clock on the wall, and of the time or order of ids, is in docs/clocks.md with why it is harmless."""

import re
from pathlib import Path

import pytest

from embedded.home import CHECKOUT
from tests.source_files import PRODUCT, SQL, name_of, sources

RECORD = CHECKOUT / "docs/clocks.md"
WALL = (
    r"\btime\.(time|time_ns|strftime|gmtime|localtime|ctime)\b|\bdate(time)?\.(now|today|utcnow|fromtimestamp)\b"
    r"|from time import|CLOCK_REALTIME"
)
ID = r"(?:\w+\.)?(?:payment_|parent_)?id\b"
ORDER = rf"ORDER BY {ID}|\b(?:\w+\.)id(?:::\w+)? (?:<|>|<=|>=) (?!ALL|ANY)|\b(?:max|min)\({ID}\)|\.id (?:<=|>=|<|>) \w"

USES = {
    "wall": {
        "gateway/auth/rate_limit.py": 2,
        "gateway/pages/formats.py": 3,
        "logs.py": 1,
        "models/clock.py": 1,
        "tracing.py": 3,
        "workers/mail.py": 2,
        "workers/rails/sepa_files.py": 1,
    },
    "time of ids": {
        "models/archiving.py": 2,
        "models/charge_limit.py": 2,
        "models/closing_events.py": 1,
        "models/closing_sums.py": 2,
        "models/invariants.py": 2,
        "models/keyset.py": 2,
        "models/ledger.py": 2,
        "models/overview.py": 3,
        "models/partitions.py": 2,
        "models/payment_list.py": 2,
        "models/payment_stuck.py": 2,
        "models/webhook_queue.py": 1,
    },
    "order of ids": {
        "models/audit.py": 10,
        "models/bank_return.py": 1,
        "models/batch.py": 2,
        "models/batch_claim.py": 2,
        "models/breach.py": 1,
        "models/charge_limit.py": 4,
        "models/inquiry.py": 2,
        "models/invariants.py": 2,
        "models/payment_command.py": 3,
        "models/payout.py": 3,
        "models/keyset.py": 2,
        "models/ledger.py": 4,
        "models/ledger_batch.py": 1,
        "models/membership.py": 1,
        "models/merchant_sum.py": 1,
        "models/overview.py": 1,
        "models/pause.py": 1,
        "models/paused_payment.py": 1,
        "models/payment.py": 1,
        "models/payment_list.py": 3,
        "models/payment_note.py": 1,
        "models/payment_related.py": 1,
        "models/payment_stuck.py": 4,
        "models/payment_timeline.py": 4,
        "models/rail.py": 1,
        "models/resolution.py": 1,
        "models/user.py": 2,
        "models/payment_search.py": 5,
        "models/webhook_delivery.py": 2,
        "models/webhook_queue.py": 2,
    },
}
"""The count in each file of the product; a new one is justified in docs/clocks.md."""


def found(pattern: str, paths: list[Path]) -> dict[str, int]:
    counts = {name_of(path): len(re.findall(pattern, path.read_text())) for path in paths}
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize(
    ("kind", "pattern"), [("wall", WALL), ("time of ids", r"\buuid_floor\b|\buuid_extract"), ("order of ids", ORDER)]
)
def test_every_use_of_a_clock_or_of_the_order_of_ids_is_known(kind: str, pattern: str) -> None:
    assert found(pattern, sources(*PRODUCT)) == USES[kind], "say in docs/clocks.md why it is harmless, then count it"


def test_every_use_stands_in_the_record() -> None:
    record = RECORD.read_text()
    absent = {name for uses in USES.values() for name in uses if name not in record}
    assert absent == set(), "add a row to docs/clocks.md"


def test_schema_reads_time_of_ids_only_for_partitions() -> None:
    used = found(r"\buuid_floor\(|::bit\(64\)", SQL)
    assert set(used) == {
        *("migrations/sql/foundation/4_partitions.sql", "migrations/sql/books/2_clocks.sql"),
        *("migrations/sql/archive/1_archive.sql", "migrations/sql/archive/down.sql"),
    }
