"""For the tests of your own code: a fake of the API in memory, webhooks signed by yourself, and a real stack.

`FakePayments` answers as the real one does, which our tests hold it to; the fixtures are in
`payments_client.testing.fixtures`, a plugin of pytest.
"""

from payments_client.testing.books import FAILURES
from payments_client.testing.fake import FakePayments
from payments_client.testing.signing import sign

__all__ = ["FAILURES", "FakePayments", "sign"]
