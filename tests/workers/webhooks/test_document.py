"""Webhooks are sent as the OpenAPI document describes them."""

from tests.workers.webhooks.conftest import Post


def test_webhook_of_each_transition_matches_the_document(post: Post):
    receiver = post.receiver()
    _, secret = post.endpoint(receiver.url)
    books, merchant = post.books, post.books.user("merchant")
    books.order("charge", merchant, post.wallet, books.wallet(merchant), 1_00, capture=False)
    books.order("transfer", post.user, post.wallet, post.other, 9_000_000_00)
    parked = books.order("transfer", post.user, post.wallet, post.other, 2_00)
    with books.as_owner() as connection:
        connection.exec_driver_sql("UPDATE payments SET parked_at = now() WHERE id = %s", (parked,))
    books.order("transfer", post.user, post.wallet, post.other, 1_00)
    books.poster().drain()
    post.until(lambda: len(receiver.heard) >= 8)
    types = [heard.verified(secret)["type"] for heard in receiver.heard]
    assert sorted(types) == sorted(
        [*["payment.initiated"] * 4, *(f"payment.{turn}" for turn in ("authorized", "completed", "failed", "parked"))]
    )
