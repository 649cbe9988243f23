"""The console beside payments: open items, proposals, pauses, bank statements, users and webhooks."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.browser import subjects
from tests.browser.conftest import PASSWORD
from tests.browser.keys import Keys
from tests.browser.scene import CURRENCY, HOSTILE, Scene
from tests.browser.subjects import WHY
from tests.browser.walks import walk

ITEMS, APPROVALS, ADJUSTMENTS = "/console/open-items", "/console/approvals", "/console/adjustments"
PAUSES, STATEMENTS = "/console/rails/pauses", "/console/reconciliation"
USERS, WEBHOOKS, VIEWS = "/console/users", "/console/webhooks", "/console/views"


@walk("ops", f"{ITEMS}/take", f"{ITEMS}/<id>/give-back")
def take(keys: Keys, scene: Scene) -> None:
    id = subjects.parked(scene)
    row = f'tr:has([title="{id}"])'
    keys.open("/console?items=all")
    keys.press(f"{ITEMS}/take", within=row)
    keys.open("/console?items=all")
    back = keys.page.locator(f"{row} form").get_attribute("action") or ""
    keys.press(back, within=row)


@walk("ops", f"{APPROVALS}/adjustments/<id>/approve", f"{APPROVALS}/adjustments/<id>/reject")
def adjustments(keys: Keys, scene: Scene) -> None:
    decide(keys, "adjustments", subjects.adjustment(scene), subjects.adjustment(scene))


@walk("ops", f"{APPROVALS}/resolutions/<id>/approve", f"{APPROVALS}/resolutions/<id>/reject")
def resolutions(keys: Keys, scene: Scene) -> None:
    decide(keys, "resolutions", subjects.resolution(scene), subjects.resolution(scene))


def decide(keys: Keys, kind: str, approved: str, rejected: str) -> None:
    """Approve one proposal, and reject another."""
    keys.open(APPROVALS)
    keys.says(HOSTILE)
    keys.press(f"{APPROVALS}/{kind}/{approved}/approve", reason=WHY)
    keys.says("Approved.")
    keys.press(f"{APPROVALS}/{kind}/{rejected}/reject", reason=WHY)
    keys.says("Rejected.")


@walk("ops", ADJUSTMENTS)
def propose(keys: Keys, scene: Scene) -> None:
    keys.open(ADJUSTMENTS)
    fields = {"account": scene.wallets["client"], "direction": "debit", "amount": "1.00", "currency": CURRENCY}
    keys.press(ADJUSTMENTS, **fields, reason=HOSTILE)
    keys.says("Proposed: another ops user approves it.")


@walk("ops", PAUSES, f"{PAUSES}/<id>/resume")
def pause(keys: Keys, scene: Scene) -> None:
    merchant = scene.ids["merchant"]
    keys.open("/console/rails")
    keys.press(PAUSES, scope="merchant", name=merchant, reason=HOSTILE)
    keys.says("It is paused.")
    pauses = scene.read("ops", "/v1/ops/pauses?in_force=true")["data"]
    [id] = [row["id"] for row in pauses if row["merchant"] == merchant]
    keys.press(f"{PAUSES}/{id}/resume", reason=WHY)
    keys.says("It is resumed.")


@walk(
    "ops",
    STATEMENTS,
    *(f"{STATEMENTS}/<id>/lines/<line>/{name}" for name in ("match", "dismiss")),
    *(f"{STATEMENTS}/<id>/{name}" for name in ("matches", "matches/store")),
)
def statement(keys: Keys, scene: Scene) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "statement.csv"
        file.write_text(subjects.statement_lines())
        keys.open(STATEMENTS)
        keys.press(STATEMENTS, statement=file, form="text/csv")
    keys.says(HOSTILE)
    lines = keys.page.url.partition("?")[0].removeprefix(scene.url) + "/lines"
    keys.press(f"{lines}/1/dismiss", category="fee", reason=WHY)
    keys.says("Line 1 is decided")
    keys.press(f"{lines}/2/match", payment=scene.charge, reason=WHY)
    keys.says("Line 2 is decided")
    by_file(keys, scene, subjects.statement(scene))


def by_file(keys: Keys, scene: Scene, id: str) -> None:
    """Match lines of a statement by a file, after it was tried."""
    path = f"{STATEMENTS}/{id}"
    keys.open(path)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "matches.csv"
        file.write_text(f"line,payment,reason\n1,{scene.charge},{WHY}\n9,{scene.charge},{WHY}\n")
        keys.press(f"{path}/matches", file=file, form="text/csv")
    keys.says("What the file would do")
    keys.press(f"{path}/matches/store")
    keys.says("Lines matched: 1")


@walk(
    "ops",
    *(f"{USERS}/<id>/{kind}/<token>/end" for kind in ("session", "api-key")),
    *(f"{USERS}/<id>/{name}" for name in ("end-sessions", "end-api-keys", "reset-second-factor")),
    *(f"{USERS}/<id>/{name}" for name in ("freeze", "thaw", "deactivate", "activate")),
)
def user(keys: Keys, scene: Scene) -> None:
    person = f"{USERS}/{scene.ids['guest']}"
    sessions = [scene.session("guest", PASSWORD) for _ in range(2)]
    key = scene.post("guest", "/v1/api-keys", name=HOSTILE, scopes=["payments:read"])["id"]
    keys.open(person)
    keys.press(f"{person}/session/{sessions[0]['id']}/end", reason=WHY)
    keys.press(f"{person}/api-key/{key}/end", reason=WHY)
    verbs = ("end-sessions", "end-api-keys", "freeze", "thaw", "deactivate", "activate", "reset-second-factor")
    for name in verbs:
        keys.press(f"{person}/{name}", reason=WHY)
        keys.says("Done: ")


@walk("ops", f"{USERS}/<id>/invite-owner", f"{USERS}/<id>/invitations/<invitation>/withdraw")
def owner(keys: Keys, scene: Scene) -> None:
    id, path = scene.ids["closed"], f"{USERS}/{scene.ids['closed']}"
    scene.sql("UPDATE users SET is_active = false WHERE id = %s", id)
    keys.open(path)
    keys.press(f"{path}/invite-owner", email=scene.email("heir"), reason=WHY)
    keys.says("Done: invite an owner")
    [invited] = scene.read("ops", f"/v1/ops/users/{id}")["invitations"]
    keys.press(f"{path}/invitations/{invited['id']}/withdraw", reason=WHY)
    keys.says("Done: withdraw")


@walk("ops", f"{WEBHOOKS}/<id>/redeliver", f"{WEBHOOKS}/deliveries/<id>/redeliver")
def webhooks(keys: Keys, scene: Scene) -> None:
    endpoint = subjects.endpoint(scene, "merchant")
    delivery = subjects.delivery(scene, "merchant", endpoint)
    keys.open(f"{WEBHOOKS}/deliveries/{delivery}")
    keys.press(f"{WEBHOOKS}/deliveries/{delivery}/redeliver", reason=WHY)
    keys.says("It is sent again.")
    keys.open(f"{WEBHOOKS}/{endpoint}")
    times = {"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    keys.press(f"{WEBHOOKS}/{endpoint}/redeliver", **times, states="all", reason=WHY)
    keys.says("are sent again")


@walk("ops", VIEWS, *(f"{VIEWS}/<id>/{name}" for name in ("rename", "share", "unshare", "delete")))
def views(keys: Keys, scene: Scene) -> None:
    keys.open("/console/payments?state=FAILED")
    keys.press(VIEWS, name=HOSTILE)
    keys.open(VIEWS)
    row = "tr[data-row]"
    path = (keys.page.locator(f"{row} form").first.get_attribute("action") or "").rpartition("/")[0]
    keys.press(f"{path}/share")
    keys.press(f"{path}/unshare")
    keys.press(f"{path}/rename", name="Failed ones")
    keys.says("Failed ones")
    keys.press(f"{path}/delete")
