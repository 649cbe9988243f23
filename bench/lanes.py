"""What lanes gain: one backlog after the other, posted by one poster on 1, 2 and 4 connections, in turns."""

from collections.abc import Iterator, Mapping, Sequence

from uuid_utils.compat import uuid7

import settings
from bench import world
from bench.measure import Bench
from bench.report import LANES, Round, median, ratio, shown, table
from bench.world import Account
from models import account
from models.payment import NewPayment
from models.session import transaction
from models.user import Role

COUNTS = (1, 2, 4)
WORLDS = ("spread", "into one", "out of one", "charges of one merchant")


def prepare(bench: Bench) -> Account:
    """Fund the accounts, and open a merchant's wallet that charges go to."""
    bench.posting("funding", bench.world.deposits())
    with transaction(bench.stack.engine(settings.WORKER_ROLE)) as connection:
        merchant = world.newcomer(connection, "merchant", Role.MERCHANT)
    id, token = str(uuid7()), account.new_wallet_token()
    with transaction(bench.stack.engine(settings.GATEWAY_ROLE)) as connection:
        account.open_wallet(connection, id, token, merchant.id, world.CURRENCY, "bench")
    return Account(id, token, merchant)


def one_round(bench: Bench, till: Account, payments: int, number: int) -> dict[str, float]:
    """The figures of all worlds and numbers of lanes, whose order changes with each round."""
    figures = {}
    for name in WORLDS:
        for lanes in COUNTS if number % 2 else reversed(COUNTS):
            costs = bench.posting_costs(f"{name}, {lanes}", orders(bench, till, name, payments), lanes)
            figures |= {f"{name}_{lanes}_{figure}": value for figure, value in costs.items()}
    return figures


def orders(bench: Bench, till: Account, name: str, count: int) -> Sequence[NewPayment]:
    """Payments of one of the WORLDS."""
    chance = bench.chance
    match name:
        case "spread":
            return bench.world.spread(count, chance)
        case "into one":
            return bench.world.into_hot(count, chance)
        case "out of one":
            return bench.world.out_of_hot(count, chance)
    payers = chance.choices(bench.world.accounts, k=count)
    return [world.new_payment(till.owner, "charge", payer.id, till.id, world.TRANSFER_MINOR) for payer in payers]


def render(rounds: Sequence[Round], facts: Mapping[str, str], amiss: Mapping[str, Sequence[str]]) -> str:
    """The section in Markdown."""
    parts = [
        LANES,
        f"Rounds in one run: {len(rounds)} (`python -m bench --only lanes`). One poster posts a backlog on so many "
        "connections; ratios are taken within a round, and the order changes with each.",
        table(["measured on", ""], [[name, value] for name, value in facts.items()]),
        table(
            [
                "payments",
                "lanes",
                "payments/s",
                "over one, round by round",
                "median",
                "CPU us: Python",
                "PostgreSQL",
            ],
            list(rows(rounds)),
        ),
        table(["after", "violations"], [[run, "; ".join(found) or "nothing"] for run, found in amiss.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def rows(rounds: Sequence[Round]) -> Iterator[list[str]]:
    """A line for each of the worlds and numbers of lanes."""
    for name in WORLDS:
        for lanes in COUNTS:
            figures = [
                shown(median([figures[f"{name}_{lanes}_{figure}"] for figures in rounds]))
                for figure in ("per_second", "cpu_posting", "cpu_postgres")
            ]
            ratios = [
                ratio(figures[f"{name}_{lanes}_per_second"], figures[f"{name}_1_per_second"]) for figures in rounds
            ]
            each = ", ".join(f"{value:.2f}" for value in ratios)
            yield [name, str(lanes), figures[0], each, f"{median(ratios):.2f}", *figures[1:]]
