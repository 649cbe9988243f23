"""The fan-out of events to webhook deliveries, for tests of the queue and of restored databases."""

from models import webhook_queue
from models.payment import NewPayment
from models.session import transaction
from tests.builders import Builder

EVENTS_MAX = 1_000
"""More than a test has."""


class FanOut:
    """A client with an endpoint, their deposits, and the fan-out of events to deliveries."""

    def __init__(self, world: Builder) -> None:
        self.world = world
        self.client = world.user()
        self.wallet = world.wallet(self.client, funds=1_000_000)
        self.endpoint, _ = world.endpoint(self.client)
        self.fan_out()
        assert self.delivered() == []

    def deposit(self) -> NewPayment:
        """A new deposit to the client's wallet, not yet accepted."""
        return self.world.deposit(self.client, self.wallet, 100)

    def fan_out(self, limit: int = EVENTS_MAX) -> int:
        """Fan out the next events; the number of deliveries or events done."""
        with transaction(self.world.worker) as connection:
            return webhook_queue.fan_out(connection, limit)

    def delivered(self) -> list[tuple[str, int]]:
        """(subject, version) of the endpoint's deliveries, in the order in which they were made."""
        return self.rows("SELECT subject_id::text, version FROM webhook_deliveries ORDER BY id")

    def events(self) -> list[tuple[str, int]]:
        """(subject, version) of all events since the endpoint was made, in their order."""
        return self.rows(
            "SELECT subject_id::text, version FROM events WHERE created_at >="
            f" (SELECT created_at FROM webhook_endpoints WHERE id = '{self.endpoint}') ORDER BY sequence"
        )

    def rows(self, query: str) -> list[tuple[str, int]]:
        with transaction(self.world.worker) as connection:
            return [(row[0], row[1]) for row in connection.exec_driver_sql(query)]
