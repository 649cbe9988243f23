"""An inbox: each event is handled once, because its id is noted in the same transaction as the work.

If the work fails, nothing is noted, the webhook is answered 500, and it is sent again.
"""

from collections.abc import Callable
from typing import Any

from payments_client.webhooks import WebhookEvent

TABLE = "CREATE TABLE IF NOT EXISTS inbox (webhook_id text PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now())"
NOTE = "INSERT INTO inbox (webhook_id) VALUES (%s) ON CONFLICT DO NOTHING"


def handle_once(connection: Any, event: WebhookEvent, work: Callable[[Any, WebhookEvent], object]) -> bool:
    """Do the work for an event that is new, with the cursor of its transaction; `connection` is psycopg's."""
    with connection, connection.cursor() as cursor:
        cursor.execute(NOTE, [event.webhook_id])
        if not cursor.rowcount:
            return False
        work(cursor, event)
        return True
