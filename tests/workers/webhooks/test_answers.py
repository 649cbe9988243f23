"""The beginning of a receiver's answer is kept, and why a try failed, whatever the bytes are."""

import pytest

from tests.workers.webhooks.conftest import Post

pytestmark = pytest.mark.shares_books


def tried(post: Post, endpoint: str) -> str:
    """The id of the endpoint's only delivery, after its first try."""
    return post.tried(post.until(lambda: post.deliveries(endpoint))[0].id, 1).id


def kept(post: Post, id: str) -> tuple[bytes | None, str | None]:
    """The answer and the reason that are kept of the delivery's first try."""
    with post.books.as_owner() as connection:
        answer, reason = connection.exec_driver_sql(
            "SELECT answer, reason FROM webhook_attempts WHERE delivery_id = %s AND attempt = 1", (id,)
        ).one()
    return answer and bytes(answer), reason


BODIES = {
    "in words": (200, b"thanks", b"thanks", None),
    "too long": (500, b"x" * 1023 + "€".encode() * 999, b"x" * 1023 + b"\xe2", "The answer was not 2xx: 500"),
    "no text": (502, b"\x00\xff\xfe\x1b", b"\x00\xff\xfe\x1b", "The answer was not 2xx: 502"),
    "empty": (404, b"", None, "The answer was not 2xx: 404"),
}


@pytest.mark.parametrize("kind", BODIES)
def test_beginning_of_the_answer_is_kept(post: Post, kind: str):
    code, body, beginning, reason = BODIES[kind]
    receiver = post.receiver()
    head = f"HTTP/1.1 {code} Told\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    receiver.answer = lambda handler, _: handler.wfile.write(head + body)
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    assert kept(post, tried(post, endpoint)) == (beginning, reason)


def test_failed_connection_has_a_reason(post: Post):
    receiver = post.receiver()
    receiver.close()
    post.receivers.remove(receiver)
    endpoint, _ = post.endpoint(receiver.url, types=("payment.completed",))
    post.pay()
    answer, reason = kept(post, tried(post, endpoint))
    assert (answer, str(reason).startswith("No connection could be made: ")) == (None, True)
