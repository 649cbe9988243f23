"""Users of a stack and of the fake, who do the same with either."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import httpx
from payments_client import Client
from payments_client.testing import FakePayments

from embedded.stack import Stack
from tests.e2e.state_machine.users import new_tokens
from tests.webhook_receiver import Receiver

ROLES = ("client", "client", "merchant", "ops")


@dataclass
class People:
    """Two clients, a merchant and ops, who have no wallets yet; and what is outside of the API."""

    alice: Client
    bob: Client
    shop: Client
    ops: Client
    anyone: Client
    receiver: str
    """Where webhooks may be sent to."""

    heard: Callable[[], list[tuple[bytes, Mapping[str, str]]]]
    """The webhooks that were sent: bodies and headers."""

    mailed: Callable[[str], str | None]
    """The token of the mail to an address."""

    send_back: Callable[[str, str], object]
    """Lets the bank return a payout, for a reason."""

    def __iter__(self) -> Iterator[Client]:
        return iter((self.alice, self.bob, self.shop, self.ops))


@contextmanager
def of_stack(stack: Stack) -> Iterator[People]:
    """New users of the stack."""
    folder = Path(unquote(stack.mail.removeprefix("file://")))

    def mailed(email: str) -> str | None:
        letters = [file.read_text() for file in sorted(folder.glob("*.eml"))]
        mine = [line for letter in letters if f"To: {email}" in letter for line in letter.splitlines()]
        return next((line for line in mine if line.startswith("cfm_")), None)

    def send_back(id: str, reason: str) -> None:
        httpx.post(f"{stack.bank_url}/admin/payouts/{id}/return", json={"reason": reason}).raise_for_status()

    with ExitStack() as opened:
        tokens = [*new_tokens(stack, ROLES), None]
        clients = [opened.enter_context(Client(stack.url, token)) for token in tokens]
        receiver = opened.enter_context(closing(Receiver()))
        heard = lambda: [(hook.body, hook.headers) for hook in receiver.heard]  # noqa: E731
        yield People(*clients, receiver.url, heard, mailed, send_back)


@contextmanager
def of_fake(percent: Decimal | int = 2, url: str = "http://127.0.0.1:9/hook") -> Iterator[People]:
    """New users of a new fake, whose webhooks go to the URL."""
    fake = FakePayments(commission_percent=percent)
    with ExitStack() as opened:
        tokens = [*(fake.user(role, role) for role in ROLES), None]
        clients = [opened.enter_context(fake.client(token)) for token in tokens]
        heard = lambda: [(hook.body, hook.headers) for hook in fake.sent]  # noqa: E731
        yield People(*clients, url, heard, fake.mailed, fake.return_payout)
