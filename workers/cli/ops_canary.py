"""`flask ops canary`: pays a cent between two wallets over HTTP, and exits by the outcome."""

import json
import sys

import click

import settings
from workers.canary import Canary, CanaryFailed, CanaryLogin
from workers.cli.arguments import AMOUNT

SECONDS_MAX = 300
WALLETS = 2


@click.command("canary")
@click.option("--amount", type=AMOUNT, default="0.01", show_default=True, help="In the wallets' currency.")
@click.option("--seconds", type=click.IntRange(1, SECONDS_MAX), default=30, show_default=True, help="Time to wait.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def canary(amount: str, seconds: int, as_json: bool) -> None:
    """Pay between the wallets of CANARY_WALLETS at CANARY_URL; exit with 0 if it completes in time, else with 1.

    The payer is CANARY_TOKEN, or signs in with CANARY_EMAIL and CANARY_PASSWORD. It pays from the wallet that holds
    more, so that the money goes back and forth.
    """
    try:
        outcome = _canary().pay(amount, seconds)
    except CanaryFailed as error:
        _say({"is_ok": False, "reason": str(error)}, f"FAILED: {error}", as_json)
        sys.exit(1)
    text = f"ok: {outcome.amount} {outcome.currency} completed in {outcome.seconds:.3f} s, payment {outcome.payment}"
    _say({"is_ok": True, **outcome._asdict()}, text, as_json)


def _canary() -> Canary:
    config = settings.load()
    login = CanaryLogin(config.canary_token, config.canary_email, config.canary_password)
    if not config.canary_url or not (login.token or (login.email and login.password)):
        raise CanaryFailed("set CANARY_URL, CANARY_WALLETS, and CANARY_TOKEN or CANARY_EMAIL and CANARY_PASSWORD")
    if len(config.canary_wallets) != WALLETS:
        raise CanaryFailed("CANARY_WALLETS takes two wallets, separated by a comma")
    first, second = config.canary_wallets
    return Canary(config.canary_url, login, (first, second))


def _say(body: dict[str, object], text: str, as_json: bool) -> None:
    click.echo(json.dumps(body) if as_json else text)
