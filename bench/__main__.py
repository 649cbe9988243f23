"""`python -m bench`: everything in one run on the same servers, round after round, then bench/report.md.

In each round pgbench comes first and last, and what is measured between; ratios are taken within a round.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil
from rich.console import Console
from rich.markdown import Markdown
from sqlalchemy import text
from uuid_utils.compat import uuid7

import settings
from bench import (
    compare,
    lanes,
    long_history,
    pages,
    pages_report,
    pages_world,
    report,
    stack,
    staircase,
    waiting,
    waiting_report,
    world,
)
from bench.measure import Bench
from bench.peers.drivers import Peer, prepare
from bench.reference import Reference
from bench.stack import Stack
from bench.world import User, World
from models import account, user
from models.session import transaction

CONNECTIONS = (8, 32)
CLIENTS = 20
QUIET_SECONDS = 2.0
"""Idle time before each round: CPU used meanwhile by others disturbs the figures."""

SERVER_SETTINGS = (
    "server_version",
    "shared_buffers",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "max_wal_size",
)

REPORT = Path(__file__).parent / "report.md"


def main() -> int:
    """Measure according to the arguments; returns 1 if a check found an error."""
    options = arguments()
    page, amiss = chosen(options)(options)
    if options.report is not None:
        report.put(page, options.report)
    Console().print(Markdown(page))
    return 1 if any(amiss.values()) else 0


def chosen(options: argparse.Namespace) -> Callable[[argparse.Namespace], tuple[str, dict[str, list[str]]]]:
    """What is measured."""
    if options.against:
        return compare.compare
    return {"pages": measure_pages, "long": measure_long, "lanes": measure_lanes}.get(options.only, measure)


def measure(options: argparse.Namespace) -> tuple[str, dict[str, list[str]]]:
    """Run all rounds; returns the report, and the errors found by the checks, by run."""
    with stack.running() as running:
        say("servers are up, filling the reference")
        reference = Reference(running.postgres)
        bench = Bench(running, people(running, options.accounts), options.seconds, is_quick=options.quick)
        merchant = shop(running)
        say("funding the accounts through the product")
        bench.posting("funding", bench.world.deposits())
        running.start_processes()
        compared = prepare(running, options.accounts) if options.peers else []
        waits = Bench(running, bench.world, options.seconds, is_quick=options.quick)
        rounds, waiting_rounds = [], []
        for number in range(1, options.rounds + 1):
            if options.only in (None, "rates"):
                rounds.append(one_round(running, bench, reference, merchant, options.posting, compared))
                say_round(number, rounds[-1])
            if options.only in (None, "waiting"):
                waiting_rounds.append(waiting.one_round(running, waits, options.waiters))
                say_round(number, waiting_rounds[-1])
        bench.check_unchecked()
        facts, sections = circumstances(running, options), []
        if rounds:
            sections += [report.render(rounds, facts, bench.amiss), staircase.render(rounds)]
        if waiting_rounds:
            sections.append(waiting_report.render(waiting_rounds, options.waiters, facts, waits.amiss))
        if not options.only:
            sections.append(read_pages(running, bench, options, facts))
        return "\n".join(sections), bench.amiss | waits.amiss


def measure_pages(options: argparse.Namespace) -> tuple[str, dict[str, list[str]]]:
    """Measure the pages alone; returns their section, and the errors found."""
    with stack.running() as running:
        bench = Bench(running, people(running, 1), options.seconds, is_quick=options.quick)
        running.start_processes()
        page = read_pages(running, bench, options, circumstances(running, options))
        return page, bench.amiss


def measure_lanes(options: argparse.Namespace) -> tuple[str, dict[str, list[str]]]:
    """Measure posting on one connection and on several; returns the section, and the errors found."""
    with stack.running() as running:
        bench = Bench(running, people(running, options.accounts), options.seconds, is_quick=options.quick)
        till = lanes.prepare(bench)
        rounds = []
        for number in range(1, options.rounds + 1):
            rounds.append(lanes.one_round(bench, till, options.posting, number))
            say_round(number, rounds[-1])
        bench.check_unchecked()
        return lanes.render(rounds, circumstances(running, options), bench.amiss), bench.amiss


def measure_long(options: argparse.Namespace) -> tuple[str, dict[str, list[str]]]:
    """Measure after a long history beside empty tables; returns the section, and the errors found."""
    benches, amiss = {}, {}
    with ExitStack() as stacks:
        for side, payments in ((long_history.FULL, options.history), (long_history.EMPTY, 0)):
            if options.quick and benches:
                benches[side] = benches[long_history.FULL]  # in a smoke test one stack is both
                continue
            say(f"{side}: writing {payments:,} payments")
            running = stacks.enter_context(stack.running())
            known = people(running, options.accounts)
            benches[side] = Bench(running, known, options.seconds, is_quick=options.quick, checks_last=True)
            long_history.fill(benches[side], payments)
            running.start_processes()
        pairs = []
        for number in range(1, options.rounds + 1):
            pairs.append({})
            for side in long_history.order(number):
                pairs[-1][side] = long_history.one_turn(benches[side], options.posting)
                say(f"{side}:")
                say_round(number, pairs[-1][side])
        for side, bench in benches.items():
            bench.check_unchecked()
            amiss |= {f"{side}, {run}": found for run, found in bench.amiss.items()}
        return long_history.render(pairs, options.history, circumstances(running, options), amiss), amiss


def read_pages(running: Stack, bench: Bench, options: argparse.Namespace, facts: Mapping[str, str]) -> str:
    """Fill the database with payments, and read each page; returns the section."""
    say(f"pages: writing {options.payments:,} payments")
    visited = pages_world.fill(running, bench, options.accounts, options.payments)
    say("pages: reading")
    readings = pages.read(running, pages.pages(visited.values), visited.tokens, options.readings)
    bench.note("pages", pages_report.amiss(readings))
    return pages_report.render(readings, options.payments, facts)


def one_round(
    running: Stack,
    bench: Bench,
    reference: Reference,
    merchant: User,
    payments: int,
    compared: Sequence[Peer],
) -> dict[str, float]:
    """Measure all figures once, with pgbench before and after."""
    our_world, chance = bench.world, bench.chance
    figures = {"busy_percent": psutil.cpu_percent(min(QUIET_SECONDS, bench.seconds))}
    before = reference.tpcb_per_second(bench.seconds)
    for connections in CONNECTIONS:
        figures |= bench.over_http(connections)
    figures |= staircase.climb(bench, figures[f"completed_{CONNECTIONS[-1]}"])
    memory = running.pss_mb()
    figures |= {f"memory_{name}": megabytes for name, megabytes in memory.items()}
    figures["memory_mb"] = sum(memory.values())
    figures |= bench.reads()
    figures |= bench.bulks(merchant)
    figures["select"] = reference.select_per_second(bench.seconds)
    with running.posting_stopped():
        for peer in compared:  # before our own batches, whose vacuum and checkpoints they might pay for
            figures[peer.name] = peer.per_second(bench.seconds)
        spread = bench.posting_costs("posting, spread", our_world.spread(payments, chance))
        figures |= {f"posting_spread_{name}": value for name, value in spread.items()}
        figures["posting_spread"] = spread["per_second"]
        figures["posting_hot_in"] = bench.posting("posting, into one", our_world.into_hot(payments, chance))
        figures["posting_hot_out"] = bench.posting("posting, out of one", our_world.out_of_hot(payments, chance))
        figures["posting_hot"] = min(figures["posting_hot_in"], figures["posting_hot_out"])
    figures["tpcb"] = statistics.mean([before, reference.tpcb_per_second(bench.seconds)])
    return figures


def people(running: Stack, accounts: int) -> World:
    """Create clients with accounts, and an ops user who deposits."""
    with transaction(running.engine(settings.WORKER_ROLE)) as connection:
        ops = world.newcomer(connection, "ops", user.Role.OPS)
        clients = [world.newcomer(connection, f"client{n}", user.Role.CLIENT) for n in range(CLIENTS)]
    return world.make(running.engine(settings.GATEWAY_ROLE), clients, ops, accounts)


def shop(running: Stack) -> User:
    """Create a merchant with a wallet for charges."""
    with transaction(running.engine(settings.WORKER_ROLE)) as connection:
        merchant = world.newcomer(connection, "shop", user.Role.MERCHANT)
    with transaction(running.engine(settings.GATEWAY_ROLE)) as connection:
        account.open_wallet(connection, str(uuid7()), account.new_wallet_token(), merchant.id, world.CURRENCY, "bench")
    return merchant


def circumstances(running: Stack, options: argparse.Namespace) -> dict[str, str]:
    """Describe the machine and the method, without names and paths."""
    facts = {"machine": report.processor()}
    with running.engine().connect() as connection:
        for name in SERVER_SETTINGS:
            facts[f"PostgreSQL {name}"] = connection.scalar(text(f"SHOW {name}"))
    facts["each window"] = f"{options.seconds:g} s, after 1 s to warm up"
    facts["rate limits"] = report.limits(stack.ENVIRON)
    facts["accounts; payments waiting"] = f"{options.accounts:,}; {options.posting:,}"
    return facts | ({"a smoke test": "its figures mean nothing"} if options.quick else {})


def arguments() -> argparse.Namespace:
    """Parse the command line; the figures of --quick, a smoke test, are meaningless."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="duration of each window (default: 8, with --against 6)")
    parser.add_argument("--posting", type=int, default=50_000, help="payments in the backlog for posting alone")
    parser.add_argument("--accounts", type=int, default=world.ACCOUNTS)
    parser.add_argument("--peers", action="store_true", help="measure other systems too: downloads django-hordak")
    parser.add_argument(
        "--long", dest="only", action="store_const", const="long", help="measure only payments after a long history"
    )
    parser.add_argument("--history", type=int, default=1_000_000, help="payments of the long history")
    parser.add_argument("--only", choices=["rates", "waiting", "pages", "lanes"], help="measure only that section")
    parser.add_argument("--payments", type=int, default=1_000_000, help="payments in the database behind the pages")
    parser.add_argument("--waiters", type=int, default=1_000, help="requests held open on one gateway process")
    parser.add_argument("--against", metavar="REV", help="measure only this checkout beside another commit")
    parser.add_argument("--report", type=Path, help="output file (default: bench/report.md)")
    parser.add_argument("--quick", action="store_true", help="a smoke test; by default no report is written")
    parser.set_defaults(readings=pages.READINGS)
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = 6.0 if options.against else 8.0
    if options.report is None and not options.quick:
        options.report = REPORT
    if options.quick:
        options.rounds, options.seconds, options.posting, options.accounts = 1, 0.3, 200, 100
        options.history, options.waiters, options.payments, options.readings = 2_000, 20, 1_000, 1
    return options


def say_round(number: int, figures: Mapping[str, float]) -> None:
    """A round's figures."""
    say(f"round {number}: " + ", ".join(f"{name} {value:,.4g}" for name, value in figures.items()))


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
