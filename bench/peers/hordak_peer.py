"""django-hordak 2.0 posting transfers: run by the interpreter of its own environment, server as in PGHOST.

`hordak_peer.py prepare` migrates the database and makes the accounts;
`hordak_peer.py measure SECONDS` prints transfers a second.
"""

import multiprocessing
import os
import random
import sys
import time
from multiprocessing.synchronize import Barrier

import django
from django.conf import settings

PROCESSES = 4
ACCOUNTS = 10_000
WARM_UP_SECONDS = 1.0

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "djmoney", "hordak"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DEFAULT_CURRENCY="EUR",
    CURRENCIES=["EUR"],
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402  Django forbids importing models before setup()
from django.db import transaction  # noqa: E402
from hordak.models import Account  # noqa: E402
from moneyed import Money  # noqa: E402


def prepare() -> None:
    """Migrate, and make 10,000 liability accounts, each the root of its tree."""
    call_command("migrate", verbosity=0)
    Account.objects.bulk_create(
        (
            Account(name=f"account {n}", type="LI", currencies=["EUR"], lft=1, rght=2, tree_id=n, level=0)
            for n in range(1, ACCOUNTS + 1)
        ),
        batch_size=1_000,
    )


def share(barrier: Barrier) -> None:
    """Keep the barrier at which all processes begin."""
    global everybody_ready  # noqa: PLW0603 - a pool hands its workers state no other way
    everybody_ready = barrier


def post_for(seconds: float, seed: int) -> int:
    """The number of transfers of 1.00 EUR between random accounts that one process posted, once all were warm."""
    chance = random.Random(seed)
    accounts = list(Account.objects.all())
    amount = Money("1.00", "EUR")
    everybody_ready.wait()
    posted = 0
    begun = time.monotonic() + WARM_UP_SECONDS
    while (now := time.monotonic()) < begun + seconds:
        source, target = chance.sample(accounts, 2)
        with transaction.atomic():
            source.transfer_to(target, amount)
        posted += now >= begun
    return posted


def measure(seconds: float) -> float:
    """Transfers a second of four processes together."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES, share, [context.Barrier(PROCESSES)]) as pool:
        return sum(pool.starmap(post_for, [(seconds, seed) for seed in range(PROCESSES)], 1)) / seconds


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare()
    else:
        print(measure(float(sys.argv[2])))
