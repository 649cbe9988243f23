"""Both clients send the newest consistency token that they were told, and keep the greatest."""

import asyncio

import httpx
from payments_client import AsyncClient, Client

URL = "http://payments.example"
HEADER = "Consistency-Token"


class Service:
    """Answers each POST with the next of these tokens; `sent` are those of the requests."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = iter(tokens)
        self.sent: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.headers.get(HEADER))
        if request.method == "GET":
            return httpx.Response(200, json={"data": [], "has_more": False, "next_cursor": None, "prev_cursor": None})
        return httpx.Response(204, headers={HEADER: next(self._tokens)})


def test_reads_carry_the_greatest_token_of_the_writes() -> None:
    service = Service("0002bb", "0001aa", "0003cc")
    with Client(URL, "a token", transport=httpx.MockTransport(service)) as client:
        client.payments.list().page()
        for _ in range(2):
            client.sessions.delete_current()
        client.payments.list().page()
        client.with_options(token="another").sessions.delete_current()
        client.payments.list().page()
    assert service.sent == [None, None, "0002bb", "0002bb", "0002bb", "0003cc"]


def test_reads_to_be_awaited_carry_it_too() -> None:
    service = Service("0002bb")

    async def run() -> None:
        async with AsyncClient(URL, "a token", transport=httpx.MockTransport(service)) as client:
            await client.sessions.delete_current()
            await client.payments.list().page()

    asyncio.run(run())
    assert service.sent == [None, "0002bb"]
