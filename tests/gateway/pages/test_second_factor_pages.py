"""Setting up a second factor on the pages, and proving it again before what is hard to undo."""

import re
from base64 import b64decode
from xml.etree import ElementTree

import pyotp
import pytest

from tests.gateway.harness import ApiHarness
from tests.gateway.identity.authenticator import enrolled, signed_up
from tests.gateway.identity.signed_up_users import PASSWORD
from tests.gateway.ops.stuck_payments import order, park
from tests.gateway.pages.browsers import SESSION, Browser, alerts
from tests.support import Database

PROVED_AGAIN = "tokens_second_factors_are_proved_again_now"


@pytest.fixture(scope="module")
def strict(database: Database) -> ApiHarness:
    """A gateway that requires second factors of ops users and auditors."""
    return ApiHarness(database, require_second_factor=True)


def test_ops_set_one_up_before_anything_else(strict: ApiHarness) -> None:
    email, _ = signed_up(strict, "ops")
    browser = Browser(strict)
    signed_in = browser.form("/sign-in", {"email": email, "password": PASSWORD})
    assert browser.get(signed_in.location, 303).location == "/second-factor"
    assert browser.get("/console", 303).location == "/second-factor"
    assert "You need one before you go on" in alerts(browser.get("/second-factor"))
    assert browser.form("/second-factor/begin", {"password": "wrong"}, "/second-factor").status_code == 422
    assert browser.post("/second-factor/begin", {"password": PASSWORD}).status_code == 403, "without the form's token"
    begun = browser.form("/second-factor/begin", {"password": PASSWORD}, "/second-factor")
    secret = re.search(r'whole-id">([A-Z2-7]{32})<', begun.text)
    image = re.search(r'src="data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)"', begun.text)
    assert secret
    assert image
    assert ElementTree.canonicalize(b64decode(image[1]).decode()).startswith("<svg xmlns=")
    [now] = strict.execute("SELECT extract(epoch FROM now())::float")
    assert browser.form("/second-factor/confirm", {"code": "000000"}, "/second-factor").status_code == 401
    done = browser.form("/second-factor/confirm", {"code": pyotp.TOTP(secret[1]).at(now)}, "/second-factor")
    assert "Your recovery codes" in alerts(done)
    assert "Overview" in alerts(browser.get("/console"))
    shown = alerts(browser.get("/second-factor"))
    assert "10 recovery codes are left" in shown
    assert "Remove it" not in shown


def test_it_is_proved_again_before_what_is_hard_to_undo(strict: ApiHarness) -> None:
    factor = enrolled(strict, "ops")
    for statement in (
        f"ALTER TABLE tokens DISABLE TRIGGER {PROVED_AGAIN}",
        f"UPDATE tokens SET second_factor_at = now() - interval '1 hour' WHERE user_id = '{factor.person.id}'",
        f"ALTER TABLE tokens ENABLE TRIGGER {PROVED_AGAIN}",
    ):
        strict.execute(statement)
    strict.app.extensions["gateway"].tokens.forget_all()
    browser, client = Browser(strict, factor.person.token), strict.person()
    park(strict, id := order(client, client.wallet()))
    path = f"/console/payments/{id}"
    evidence = {"outcome": "not_paid", "reason": "they said so"}
    refused = browser.form(f"{path}/resolve", evidence, path, Referer=f"http://localhost{path}")
    assert refused.status_code == 403
    back = f"/second-factor/prove?next={path.replace('/', '%2F')}"
    assert f'href="{back}"' in refused.text
    assert browser.form("/second-factor/prove", {"code": "000000", "next": path}, back).status_code == 401
    proved = browser.form("/second-factor/prove", {"code": factor.new_code(), "next": path}, back)
    assert (proved.status_code, proved.location) == (303, path)
    refused = browser.form(f"{path}/resolve", evidence, path)
    assert refused.status_code == 409, "now the API judges the payment"


def test_a_customer_may_remove_it(api: ApiHarness) -> None:
    factor = enrolled(api)
    browser = Browser(api, factor.person.token)
    form = {"password": PASSWORD, "code": factor.new_code()}
    assert browser.form("/second-factor/disable", form, "/second-factor").location == "/sign-in"
    assert browser.get("/app", 303)
    assert browser.cookie(SESSION) is None
