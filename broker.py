"""What kombu and Celery's beat do not do by themselves: refuse messages, lose connections well, keep a steady clock."""

import base64
import json
import re
import uuid
from collections.abc import Callable, Mapping

import structlog
from kombu.transport import redis as transport
from kombu.transport import virtual
from redis import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as TimedOut

MESSAGE_BYTES_MAX = 16 * 1024
"""A bell has about one KiB."""

RETRIES_MAX = 3
"""How often Celery sends a bell again whose worker died; after that the timetable sends another."""

SHOWN_BYTES_MAX = 200
"""Of a message that is dropped, in the log."""

EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
BODY = base64.b64encode(json.dumps([[], {}, EMBED]).encode()).decode()
"""What every bell carries, as Celery writes it: no arguments, and nothing to do afterwards."""

_TASK_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)

log = structlog.get_logger("broker")


def url(redis_url: str) -> str:
    """The broker's URL as kombu spells it: a Unix socket is redis+socket://."""
    return redis_url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")


class InvalidMessage(Exception):
    """A message that nobody of ours can have sent; says why."""


def read(message: bytes, queue: str, queues: Mapping[str, str]) -> bytes:
    """The bell as this process itself would have sent it: Celery unpacks nothing that a stranger wrote.

    `queues` has the queue of each task. Raises NotABell.
    """
    if len(message) > MESSAGE_BYTES_MAX:
        raise InvalidMessage(f"it has {len(message)} bytes")
    try:
        envelope = json.loads(message)
        headers = dict(envelope["headers"])
        args, kwargs, embed = json.loads(base64.b64decode(envelope["body"], validate=True))
        has_more = any(dict(embed).values())
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidMessage("it is no envelope around args, kwargs, embed") from error
    task, id, retries, request_id = (headers.get(name) for name in ("task", "id", "retries", "request_id"))
    if (args, kwargs, has_more) != ([], {}, False):
        raise InvalidMessage("it carries more than a bell does")
    if not isinstance(task, str) or queues.get(task) != queue:
        raise InvalidMessage("its task is none of this queue's")
    if not isinstance(id, str) or not _TASK_ID.fullmatch(id):
        raise InvalidMessage("its id is none")
    if request_id is not None and not (isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id)):
        raise InvalidMessage("its request id is none")
    if type(retries) is not int or not 0 <= retries <= RETRIES_MAX:
        raise InvalidMessage("its number of retries is none")
    return _bell(task, id, retries, request_id, queue)


def _bell(task: str, id: str, retries: int, request_id: str | None, queue: str) -> bytes:
    delivery = {"exchange": queue, "routing_key": queue}
    return json.dumps(
        {
            "body": BODY,
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {"task": task, "id": id, "retries": retries, "request_id": request_id, "lang": "py"},
            "properties": {
                "correlation_id": id,
                "delivery_tag": str(uuid.uuid4()),
                "delivery_info": delivery,
                "body_encoding": "base64",
                "priority": 0,
            },
        }
    ).encode()


class QoS(transport.QoS):
    """Kombu 5.7 gives the place of a message back once it is acknowledged, and never if the connection is lost by then;
    a worker whose places were all gone listened no more, and did not notice that its connection was lost.
    """

    def ack(self, delivery_tag: str) -> None:
        """Give the place back whatever happens: a bell that is not acknowledged rings again."""
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """As `ack`."""
        try:
            super().reject(delivery_tag, requeue)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def restore_by_tag(self, tag: bytes, client: Redis | None = None, leftmost: bool = False) -> None:
        """Forget what was never a message: kombu would raise at each look for those of workers that died."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ConnectionLost, TimedOut, ResponseError, OSError):
            raise
        except Exception as error:
            log.warning("unacknowledged message dropped", tag=repr(tag[:SHOWN_BYTES_MAX]), reason=repr(error))
            self._remove_from_indices(tag).execute()


class Channel(transport.Channel):
    """Celery 5.7 closes a lost connection twice. A channel with a bell in hand would give it back the second time, over
    what is no connection any more; the AttributeError of that ended the worker.

    What it hears that is no bell of `queues`, task by task, is dropped as if nothing had come.
    """

    QoS = QoS
    queues: Mapping[str, str] = {}
    dropped = 0

    def _connparams(self, *args: object, **kwargs: object) -> dict[str, object]:
        if self.connection.client is None:
            raise ConnectionLost("this connection to the broker was closed")
        return super()._connparams(*args, **kwargs)

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


Admit = Callable[[bytes, bytes], tuple[bytes, bytes] | None]


def _client(base: type[Redis], admit: Admit) -> type[Redis]:
    """A client of Redis that hears, of what waits in queues, only what is admitted."""

    class Client(base):  # type: ignore[misc, valid-type]
        def parse_response(self, connection: object, command_name: str, **options: object) -> object:
            answer = super().parse_response(connection, command_name, **options)
            return admit(*answer) if command_name == "BRPOP" and answer else answer

    return Client


def use(queues: Mapping[str, str]) -> None:
    """Let this process's connections to the broker be as told here, for tasks with these queues."""
    Channel.queues = queues
    transport.Transport.Channel = Channel
