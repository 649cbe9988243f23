"""What merchants and clients order, and how they control wallets, keys, members, webhooks and their own data."""

from tests.browser import subjects
from tests.browser.conftest import PASSWORD
from tests.browser.keys import Keys
from tests.browser.scene import CURRENCY, HOSTILE, Scene
from tests.browser.walks import walk
from tests.support import eventually

PAYMENTS, ACCESS, MEMBERS = "/app/payments", "/app/access", "/app/members"
WEBHOOKS, CONTROLS = "/app/webhooks", "/app/wallets/<token>/controls"


@walk("merchant", "/app/charges/new")
def charge(keys: Keys, scene: Scene) -> None:
    keys.open("/app/charges/new")
    order = {"wallet": scene.wallets["client"], "amount": "5.00", "currency": CURRENCY, "take": "hold"}
    keys.press("/app/charges/new", **order, reference=f"by-keys-{scene.mark}", summary=HOSTILE)
    keys.says("Charge of 5.00 EUR")
    keys.says(HOSTILE)


@walk("client", "/app/transfers/new")
def transfer(keys: Keys, scene: Scene) -> None:
    keys.open("/app/transfers/new")
    order = {"source": scene.wallets["client"], "target": scene.wallets["guest"], "amount": "5.00"}
    keys.press("/app/transfers/new", **order, currency=CURRENCY, summary=HOSTILE)
    keys.says("Transfer of 5.00 EUR")


@walk("merchant", *(f"{PAYMENTS}/<id>/{name}" for name in ("capture", "void", "refund", "cancel")))
def end(keys: Keys, scene: Scene) -> None:
    captured = scene.held_charge()
    for id, name, fields, state in (
        (captured, "capture", {"amount": "10.00"}, "COMPLETED"),
        (scene.held_charge(), "void", {}, "FAILED"),
        (captured, "refund", {"amount": "1.50", "reason": "duplicate"}, "COMPLETED"),
        (scene.scheduled(), "cancel", {}, "FAILED"),
    ):
        keys.open(f"{PAYMENTS}/{id}")
        keys.press(f"{PAYMENTS}/{id}/{name}", **fields)
        keys.says(f"Ordered: {name}")
        eventually(lambda id=id, state=state: scene.state(id) == state)


@walk("merchant", f"{ACCESS}/keys", f"{ACCESS}/keys/<id>/end", f"{ACCESS}/sessions/<id>/end")
def access(keys: Keys, scene: Scene) -> None:
    session = scene.session("merchant", PASSWORD)["id"]
    keys.open(ACCESS)
    keys.press(f"{ACCESS}/keys", name=HOSTILE, scopes=["payments:read", "wallets:read"])
    keys.says("Your new key.")
    [key] = [row["id"] for row in scene.read("merchant", "/v1/api-keys")["data"] if row["name"] == HOSTILE]
    keys.open(ACCESS)
    keys.press(f"{ACCESS}/keys/{key}/end")
    keys.press(f"{ACCESS}/sessions/{session}/end")


@walk(
    "merchant",
    *(f"{MEMBERS}/invitations", f"{MEMBERS}/invitations/<id>/withdraw", "/sign-in/invitation"),
    *(f"{MEMBERS}/<id>/role", f"{MEMBERS}/<id>/remove", f"{MEMBERS}/merchant"),
)
def members(keys: Keys, scene: Scene) -> None:
    keys.open(MEMBERS)
    keys.press(f"{MEMBERS}/merchant", name=f"Store {HOSTILE}", url="https://shop.example.com")
    for person, role in (("stranger", "viewer"), ("member", "operator")):
        keys.press(f"{MEMBERS}/invitations", email=scene.email(person), role=role)
        keys.says("The invitation is on its way")
    invited = {row["email"]: row["id"] for row in scene.read("merchant", "/v1/invitations")["data"]}
    keys.press(f"{MEMBERS}/invitations/{invited[scene.email('stranger')]}/withdraw")
    keys.open("/sign-in/invitation")
    person = {"first_name": HOSTILE[:30], "last_name": "Member", "password": PASSWORD}
    keys.press("/sign-in/invitation", token=scene.mailed("member"), **person)
    keys.says("is operator of")
    [id] = [row["id"] for row in scene.read("merchant", "/v1/members")["data"] if row["email"] == scene.email("member")]
    keys.open(MEMBERS)
    keys.press(f"{MEMBERS}/{id}/role", role="viewer")
    keys.says("The role is changed.")
    keys.press(f"{MEMBERS}/{id}/remove")
    keys.says("The member is removed")


@walk("client", *(f"{CONTROLS}/{name}" for name in ("limit", "block", "unblock", "label", "use", "rotate")))
def controls(keys: Keys, scene: Scene) -> None:
    wallet = scene.post("client", "/v1/wallets", currency=CURRENCY, label="Second")["token"]
    path, merchant = f"/app/wallets/{wallet}/controls", scene.ids["merchant"]
    keys.open(path)
    keys.press(f"{path}/limit", within="details.card", per_charge="50.00", per_day="100.00")
    keys.says("The limit is set.")
    keys.press(f"{path}/block", within="details.card", merchant=merchant)
    keys.press(f"{path}/unblock")
    keys.press(f"{path}/label", label=HOSTILE[:40])
    keys.press(f"{path}/use")
    keys.says("Activate")
    keys.press(f"{path}/rotate")
    keys.says("The wallet has a new token")


@walk("client", "/app/profile/person", "/app/profile/password")
def profile(keys: Keys, scene: Scene) -> None:
    keys.open("/app/profile")
    keys.press("/app/profile/person", first_name="Anna", last_name=HOSTILE[:40])
    keys.says("Changed.")
    keys.press("/app/profile/password", current_password=PASSWORD, password=f"{PASSWORD} new")
    keys.says("You have a new password")


@walk(
    "client",
    *(WEBHOOKS, f"{WEBHOOKS}/<id>", f"{WEBHOOKS}/deliveries/<id>/redeliver"),
    *(f"{WEBHOOKS}/<id>/{name}" for name in ("test", "rotate", "redeliver", "disable", "enable", "delete")),
)
def webhooks(keys: Keys, scene: Scene) -> None:
    keys.open(WEBHOOKS)
    keys.press(WEBHOOKS, url="https://8.8.8.8/hooks", description=HOSTILE, event_types=["bulk.*"])
    keys.says("The new secret.")
    id = keys.page.locator("header code").inner_text()
    path = f"{WEBHOOKS}/{id}"
    keys.open(path)
    keys.press(path, description=f"second {HOSTILE}")
    keys.says(f"second {HOSTILE}")
    keys.press(f"{path}/test")
    keys.press(f"{path}/redeliver", **{"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"})
    keys.press(f"{path}/rotate", overlap_seconds="3600")
    keys.says("The new secret.")
    delivery = f"{WEBHOOKS}/deliveries/{subjects.delivery(scene, 'client', id)}"
    keys.open(delivery)
    keys.press(f"{delivery}/redeliver")
    keys.says("It is sent again.")
    keys.open(path)
    for name in ("disable", "enable", "delete"):
        keys.press(f"{path}/{name}")
    keys.says("No endpoint yet")
