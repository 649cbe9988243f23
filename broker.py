"""Kombu's Redis transport, hardened: messages are validated before Celery reads them, and lost connections survived.

`broker_amqp.py` does the same for RabbitMQ.
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping, Set

import structlog
from kombu.transport import redis as transport
from kombu.transport import virtual
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as TimedOut

MESSAGE_BYTES_MAX = 16 * 1024
"""The messages of this system have about one KiB."""

RETRIES_MAX = 3
"""Redeliveries of a message whose worker died; after that the timetable sends a new one."""

SPARED_SECONDS = 1.0
"""How long a message waits for the workers of its own before others take it."""

SHOWN_BYTES_MAX = 200
"""Length of the excerpt of a dropped message in the log."""

EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
CONTENT = json.dumps([[], {}, EMBED]).encode()
"""The body of every message, as Celery writes it: no arguments, no callbacks."""
BODY = base64.b64encode(CONTENT).decode()

_TASK_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)

log = structlog.get_logger("broker")


class InvalidMessage(Exception):
    """A message that this system cannot have sent; the text is the reason."""


def read(message: bytes, queue: str, queues: Mapping[str, str]) -> bytes:
    """Validate a message and rebuild it from its few valid fields, so that Celery decodes nothing that strangers wrote.

    `queues` maps each task to its queue. Raises InvalidMessage.
    """
    if len(message) > MESSAGE_BYTES_MAX:
        raise InvalidMessage(f"it has {len(message)} bytes")
    try:
        envelope = json.loads(message)
        headers = dict(envelope["headers"])
        content = base64.b64decode(envelope["body"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidMessage("not an envelope around args, kwargs, embed") from error
    return _bell(valid_headers(headers, content, queue, queues), queue)


def valid_headers(
    headers: Mapping[str, object], content: bytes, queue: str, queues: Mapping[str, str]
) -> dict[str, object]:
    """The few headers that are read, of a message with this body; raises InvalidMessage."""
    try:
        args, kwargs, embed = json.loads(content)
        has_more = any(dict(embed).values())
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidMessage("not an envelope around args, kwargs, embed") from error
    task, id, retries, request_id = (headers.get(name) for name in ("task", "id", "retries", "request_id"))
    if (args, kwargs, has_more) != ([], {}, False):
        raise InvalidMessage("it has arguments or callbacks")
    if not isinstance(task, str) or queues.get(task) != queue:
        raise InvalidMessage("its task does not belong to this queue")
    if not isinstance(id, str) or not _TASK_ID.fullmatch(id):
        raise InvalidMessage("its id is invalid")
    if request_id is not None and not (isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id)):
        raise InvalidMessage("its request id is invalid")
    if type(retries) is not int or not 0 <= retries <= RETRIES_MAX:
        raise InvalidMessage("its number of retries is invalid")
    return {"task": task, "id": id, "retries": retries, "request_id": request_id, "lang": "py"}


def _bell(headers: dict[str, object], queue: str) -> bytes:
    delivery = {"exchange": queue, "routing_key": queue}
    return json.dumps(
        {
            "body": BODY,
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": headers,
            "properties": {
                "correlation_id": headers["id"],
                "delivery_tag": str(uuid.uuid4()),
                "delivery_info": delivery,
                "body_encoding": "base64",
                "priority": 0,
            },
        }
    ).encode()


class QoS(transport.QoS):
    """Frees the prefetch slot of a message even if its acknowledgement fails.

    Kombu 5.7 frees a slot on acknowledgement, but not if the connection is lost first; a worker without free slots
    stops consuming, and does not notice that its connection is lost.
    """

    def ack(self, delivery_tag: str) -> None:
        """Free the slot in any case: a message that is not acknowledged is delivered again."""
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Free the slot in any case, as `ack` does."""
        try:
            super().reject(delivery_tag, requeue)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def restore_by_tag(self, tag: bytes, client: Redis | None = None, leftmost: bool = False) -> None:
        """Drop an entry that is not a message: kombu would raise each time it restores those of workers that died."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ConnectionLost, TimedOut, ResponseError, OSError):
            raise
        except Exception as error:
            log.warning("unacknowledged message dropped", tag=repr(tag[:SHOWN_BYTES_MAX]), reason=repr(error))
            self._remove_from_indices(tag).execute()


class Channel(transport.Channel):
    """Drops messages that are invalid for `queues` (task to queue), and survives being closed twice.

    Celery 5.7 closes a lost connection twice. The second time a channel that holds a message would return it over a
    connection that is gone; the AttributeError of that ended the worker.
    """

    QoS = QoS
    queues: Mapping[str, str] = {}
    spared: Set[str] = frozenset()
    """Queues that a worker which serves others, too, leaves to workers of their own for as long as these keep up."""
    dropped = 0

    def __init__(self, *args: object, **kwargs: object) -> None:
        self._waiting_since: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def _connparams(self, *args: object, **kwargs: object) -> dict[str, object]:
        if self.connection.client is None:
            raise ConnectionLost("this connection to the broker was closed")
        return super()._connparams(*args, **kwargs)

    def _brpop_start(self, timeout: float | None = None) -> None:
        asked = self.active_queues
        if len(asked) > 1:
            asked = [queue for queue in asked if queue not in self.spared or self._is_left(queue)]
        cycle = self._queue_cycle
        cycle.update([queue for queue in cycle.items if queue in asked] + [q for q in asked if q not in cycle.items])
        super()._brpop_start(timeout)

    def _is_left(self, queue: str) -> bool:
        """Whether there have been messages for a while: who should take them is busy, or not there."""
        if not self.client.llen(queue):
            self._waiting_since.pop(queue, None)
            return False
        now = time.monotonic()
        return now - self._waiting_since.setdefault(queue, now) >= SPARED_SECONDS

    def _get_client(self) -> type[Redis]:
        return _client(super()._get_client(), self._admit)

    def _admit(self, queue: bytes, message: bytes) -> tuple[bytes, bytes] | None:
        name = queue.decode(errors="replace").partition(self.sep)[0]
        try:
            return queue, read(message, name, self.queues)
        except InvalidMessage as error:
            Channel.dropped += 1
            begins = repr(message[:SHOWN_BYTES_MAX])
            log.warning("message dropped", queue=name, reason=str(error), dropped=Channel.dropped, begins=begins)
            return None


class SentinelChannel(Channel, transport.SentinelChannel):
    """The same at the primary that sentinels name."""


Admit = Callable[[bytes, bytes], tuple[bytes, bytes] | None]


def _client(base: type[Redis], admit: Admit) -> type[Redis]:
    """A subclass of the Redis client that receives only the messages that `admit` returns."""

    class Client(base):  # type: ignore[misc, valid-type]
        def parse_response(self, connection: object, command_name: str, **options: object) -> object:
            answer = super().parse_response(connection, command_name, **options)
            return admit(*answer) if command_name == "BRPOP" and answer else answer

    return Client


_register = transport.Transport.register_with_event_loop


def _register_or_close(self: transport.Transport, connection: transport.Transport, loop: object) -> None:
    """Close a connection to a broker that refuses what kombu writes at once: Celery 5.7 opens another and forgets it.

    A worker tries five times a second; the broker had no room for anyone after minutes.
    """
    try:
        _register(self, connection, loop)
    except BaseException:
        self.close_connection(connection)
        raise


def use(queues: Mapping[str, str], spared: Set[str] = frozenset()) -> None:
    """Make kombu use this channel and transport in this process, for tasks with these queues."""
    Channel.queues, Channel.spared = queues, spared
    transport.Transport.Channel = Channel
    transport.SentinelTransport.Channel = SentinelChannel
    transport.Transport.register_with_event_loop = _register_or_close  # type: ignore[method-assign]  # kombu takes no class
