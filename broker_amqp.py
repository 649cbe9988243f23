"""Kombu's transport to RabbitMQ, hardened as `broker.py` hardens that to Redis, and what the bell asks of it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import amqp
import structlog
from kombu import Connection
from kombu.transport import pyamqp

from broker import CONTENT, MESSAGE_BYTES_MAX, RETRIES_MAX, SHOWN_BYTES_MAX, InvalidMessage, valid_headers

SCHEMES = ("amqp://", "amqps://")

LENGTH_MAX = 1_000
"""Messages that a queue keeps; of more the oldest are dropped, since each is only a bell."""

QUEUE = {
    "x-queue-type": "quorum",
    "x-max-length": LENGTH_MAX,
    "x-overflow": "drop-head",
    "x-delivery-limit": RETRIES_MAX,
}
"""The arguments of every queue: on most nodes of a cluster, and without messages that end each of its readers."""

LOW_PRIORITY = {"x-priority": -1}
"""Of a consumer that is given messages only while the others have no room for more."""

HEARTBEAT_SECONDS = 60
"""Twice as long as a task may take, in which some workers send none."""

UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""Raised by py-amqp for properties that no client writes."""

CONTENT_HEADER = 2
"""The type of frames with a message's properties."""

FAILURES = (amqp.AMQPError, OSError)
"""What a broker that is away, slow or refuses raises."""

log = structlog.get_logger("broker")


def is_amqp(url: str) -> bool:
    """Whether this is the URL of a RabbitMQ."""
    return url.startswith(SCHEMES)


def read(message: amqp.Message, queue: str, queues: Mapping[str, str]) -> amqp.Message:
    """The message rebuilt from its few valid fields; raises InvalidMessage."""
    body = bytes(message.body or b"")
    if len(body) > MESSAGE_BYTES_MAX:
        raise InvalidMessage(f"it has {len(body)} bytes")
    headers = valid_headers(message.properties.get("application_headers") or {}, body, queue, queues)
    return amqp.Message(
        CONTENT,
        content_type="application/json",
        content_encoding="utf-8",
        application_headers=headers,
        correlation_id=headers["id"],
    )


class Channel(pyamqp.Channel):
    """Drops messages that are invalid for `queues` (task to queue)."""

    queues: Mapping[str, str] = {}
    dropped = 0

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._consumed: dict[str, str] = {}
        super().__init__(*args, **kwargs)
        self.auto_decode = False

    def basic_consume(self, queue: str = "", consumer_tag: str = "", *args: Any, **kwargs: Any) -> object:
        """Note which queue the consumer's messages come from."""
        self._consumed[consumer_tag] = queue
        return super().basic_consume(queue, consumer_tag, *args, **kwargs)

    def _on_basic_deliver(
        self, consumer_tag: str, delivery_tag: int, redelivered: bool, exchange: str, key: str, message: amqp.Message
    ) -> None:
        queue = self._consumed.get(consumer_tag, "")
        try:
            message = read(message, queue, self.queues)
        except InvalidMessage as error:
            Channel.dropped += 1
            begins = repr(message.body[:SHOWN_BYTES_MAX])
            log.warning("message dropped", queue=queue, reason=str(error), dropped=Channel.dropped, begins=begins)
            self.basic_reject(delivery_tag, requeue=False)
            return
        super()._on_basic_deliver(consumer_tag, delivery_tag, redelivered, exchange, key, message)


class SafeConnection(pyamqp.Connection):
    """Treats what cannot be read as a lost connection, which workers survive; the delivery limit ends the message."""

    Channel = Channel

    def blocking_read(self, timeout: float | None = None) -> object:
        """Read a frame, and do what it asks for."""
        with self.transport.having_timeout(timeout):
            frame = self.transport.read_frame()
        try:
            return self.on_inbound_frame(frame)
        except UNREADABLE as error:
            if frame[0] != CONTENT_HEADER:
                raise
            raise amqp.FrameSyntaxError(f"the properties of a message: {error!r}") from error


def use(queues: Mapping[str, str]) -> None:
    """Make kombu use this connection and channel in this process, for tasks with these queues."""
    Channel.queues = queues
    pyamqp.Transport.Connection = SafeConnection


def route(queue: str) -> dict[str, Any]:
    """Options of a message to the queue: by its exchange, that a gateway may write to; workers alone make queues."""
    return {"exchange": queue, "routing_key": queue, "declare": []}


def length(channel: amqp.Channel, queue: str) -> int:
    """Messages that wait in the queue; raises one of FAILURES, NotFound if no worker has made the queue yet."""
    return int(channel.queue_declare(queue, passive=True).message_count)


def is_up(url: str, seconds: float) -> bool:
    """Whether the broker lets this process in within that time."""
    try:
        with connected(url, seconds):
            return True
    except FAILURES:
        return False


def depths(url: str, queues: Iterable[str], seconds: float) -> dict[str, int] | None:
    """The number of messages in each queue; None if the broker does not answer in time."""
    found = {}
    try:
        with connected(url, seconds) as connection:
            for queue in queues:
                try:
                    found[queue] = length(connection.channel(), queue)
                except amqp.NotFound:
                    found[queue] = 0
    except FAILURES:
        return None
    return found


@contextmanager
def connected(url: str, seconds: float) -> Iterator[Connection]:
    """A connection of whose waits each ends within that time; raises one of FAILURES."""
    timeouts = {"connect_timeout": seconds, "read_timeout": seconds, "write_timeout": seconds}
    connection = Connection(url, transport_options={**timeouts, "max_retries": 0})
    try:
        connection.connect()
        yield connection
    finally:
        connection.collect(seconds)
