"""`flask ops webhook-endpoints`, `redeliver` and `redeliver-range`: webhooks of all users, and sending them again."""

import json
from datetime import UTC, datetime
from uuid import UUID

import click

from models import ops_webhook
from models.audit import SHELL
from models.ops_webhook import EndpointState
from models.session import transaction
from models.webhook_delivery import DeliveryState
from workers import process
from workers.cli import table
from workers.cli.arguments import reasoned
from workers.cli.dry_run import dry, tried
from workers.cli.ops_batches import MOMENT

ROWS_MAX = 1_000
"""Most endpoints listed by one command."""

RESENT = (DeliveryState.FAILED.value,)
"""The states of what is sent again unless others are named."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command("webhook-endpoints")
@click.option("--state", type=click.Choice([state.value for state in EndpointState]), multiple=True)
@click.option("--user", type=click.UUID, help="Of this user.")
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)
@as_json
def webhook_endpoints(state: tuple[str, ...], user: UUID | None, limit: int, as_json: bool) -> None:
    """List the webhook endpoints of all users, newest first."""
    with transaction(process.engine()) as connection:
        found = ops_webhook.endpoints(connection, limit, states=state, user_id=str(user) if user else None)
    if as_json:
        for endpoint in found:
            click.echo(json.dumps(ops_webhook.body(endpoint)))
    elif found:
        cells = [(one.id, one.state, str(one.pending), str(one.failed), one.endpoint.url) for one in found]
        table.show(("endpoint", "state", "pending", "failed", "url"), cells)
    else:
        click.echo("none")


@click.command("redeliver")
@click.argument("delivery_id", type=click.UUID)
@reasoned
@dry
@as_json
def redeliver(delivery_id: UUID, reason: str, dry_run: bool, as_json: bool) -> None:
    """Send a webhook again, with all its tries; one that is due already stays as it is."""
    with tried(dry_run) as connection:
        after = ops_webhook.redeliver(connection, str(delivery_id), SHELL, reason)
    if after is None:
        raise click.ClickException(f"there is no delivery {delivery_id}")
    shown = {"id": after.id, "state": after.state, "dry_run": dry_run}
    said = "dry run, nothing is stored: would be sent again" if dry_run else "is sent again"
    click.echo(json.dumps(shown) if as_json else f"{after.id}: {said}")


@click.command("redeliver-range")
@click.argument("endpoint_id", type=click.UUID)
@click.option("--from", "since", type=MOMENT, required=True, help="Events of this time or later.")
@click.option("--to", "until", type=MOMENT, required=True, help="Events before this time.")
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]), multiple=True, default=RESENT)
@reasoned
@dry
@as_json
def redeliver_range(
    endpoint_id: UUID,
    since: datetime,
    until: datetime,
    state: tuple[str, ...],
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Send the events of a time to an endpoint again, oldest first, at most 10,000."""
    with tried(dry_run) as connection:
        if ops_webhook.endpoint_by_id(connection, str(endpoint_id)) is None:
            raise click.ClickException(f"there is no endpoint {endpoint_id}")
        since, until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (since, until))
        number, has_more = ops_webhook.redeliver_range(connection, str(endpoint_id), since, until, state, SHELL, reason)
    shown = {"redelivered": number, "has_more": has_more, "dry_run": dry_run}
    said = "dry run, nothing is stored: " if dry_run else ""
    click.echo(json.dumps(shown) if as_json else f"{said}{number} are sent again{', and there are more' * has_more}")


COMMANDS = (webhook_endpoints, redeliver, redeliver_range)
