"""Signing in and out, a password by mail, and the second factor."""

from datetime import UTC, datetime

import pyotp

from tests.browser.conftest import PASSWORD
from tests.browser.keys import REFUSED, Keys
from tests.browser.scene import Scene
from tests.browser.walks import walk

SIGN_IN, FACTOR = "/sign-in", "/second-factor"


def sign_in(keys: Keys, email: str, password: str) -> None:
    """Sign in by password."""
    keys.open(SIGN_IN)
    keys.press(SIGN_IN, email=email, password=password)


@walk("", f"{SIGN_IN}/forgotten", f"{SIGN_IN}/password", SIGN_IN, "/pages/times", "/sign-out")
def forgotten_password(keys: Keys, scene: Scene) -> None:
    keys.open(f"{SIGN_IN}/forgotten")
    keys.press(f"{SIGN_IN}/forgotten", email=scene.email("second"))
    keys.says("a mail is on its way")
    new = f"{PASSWORD} by mail"
    keys.press(f"{SIGN_IN}/password", token=scene.mailed("second"), password=new)
    keys.says("The password is set")
    sign_in(keys, scene.email("second"), new)
    keys.says("Overview")
    keys.press("/pages/times", "Relative")
    keys.press("/sign-out", "Sign out")
    keys.says("Sign in")


@walk(
    "",
    *(SIGN_IN, f"{SIGN_IN}{REFUSED}401", "/sign-out"),
    *(f"{FACTOR}/{name}" for name in ("begin", "confirm", "recovery-codes", "prove", "disable")),
)
def second_factor(keys: Keys, scene: Scene) -> None:
    sign_in(keys, scene.email("auditor"), PASSWORD)
    keys.open(FACTOR)
    keys.press(f"{FACTOR}/begin", password=PASSWORD)
    app = pyotp.TOTP(keys.page.locator("code.whole-id").inner_text())
    keys.press(f"{FACTOR}/confirm", code=app.now())
    keys.says("Your recovery codes")
    keys.open(FACTOR)
    keys.press(f"{FACTOR}/recovery-codes", code=app.at(datetime.now(UTC), counter_offset=1))
    codes = keys.page.locator("pre").inner_text().split()
    keys.press("/sign-out", "Sign out everywhere")
    sign_in(keys, scene.email("auditor"), PASSWORD)  # refused without a code, for which it asks
    keys.press(SIGN_IN, code=codes[0])
    keys.says("Overview")
    keys.open(f"{FACTOR}/prove")
    keys.press(f"{FACTOR}/prove", code=codes[1])
    keys.open(FACTOR)
    keys.press(f"{FACTOR}/disable", password=PASSWORD, code=codes[2])
    keys.says("Sign in")
