"""Payments in the console: each verb of one, and of several."""

from datetime import UTC, datetime

from tests.browser import subjects
from tests.browser.keys import Keys
from tests.browser.scene import HOSTILE, Scene
from tests.browser.subjects import WHY
from tests.browser.walks import walk
from tests.support import eventually

PAYMENTS = "/console/payments"
ONE, SELECTED, BATCHES = f"{PAYMENTS}/<id>", f"{PAYMENTS}/selected", "/console/batches"


def act(keys: Keys, id: str, name: str, **fields: str) -> None:
    """Order a verb on the page of a payment."""
    keys.open(f"{PAYMENTS}/{id}")
    keys.press(f"{PAYMENTS}/{id}/{name}", **fields)
    keys.says("Ordered: ")
    keys.says(WHY)


@walk("ops", f"{ONE}/retry")
def retry(keys: Keys, scene: Scene) -> None:
    id = subjects.parked(scene)
    act(keys, id, "retry", reason=WHY)
    eventually(lambda: scene.state(id) == "COMPLETED")


@walk("ops", f"{ONE}/ask", f"{ONE}/resolve")
def ask_and_resolve(keys: Keys, scene: Scene) -> None:
    id, day = subjects.payout(scene), f"{datetime.now(UTC):%m%d%Y}"
    act(keys, id, "ask", reason=WHY)
    act(keys, id, "resolve", outcome="paid", bank_reference="B 77", value_date=day, reason=WHY)
    keys.says("proposed")


@walk("ops", f"{ONE}/capture")
def capture(keys: Keys, scene: Scene) -> None:
    id = scene.held_charge()
    act(keys, id, "capture", amount="2.50", reason=WHY)
    eventually(lambda: scene.state(id) == "COMPLETED")


@walk("ops", f"{ONE}/void", f"{ONE}/cancel", f"{ONE}/fail")
def end(keys: Keys, scene: Scene) -> None:
    ends = {"void": scene.held_charge(), "cancel": scene.scheduled(), "fail": scene.scheduled()}
    for name, id in ends.items():
        act(keys, id, name, reason=WHY)
        eventually(lambda id=id: scene.state(id) == "FAILED")


@walk("ops", f"{ONE}/notes")
def note(keys: Keys, scene: Scene) -> None:
    keys.open(f"{PAYMENTS}/{scene.charge}")
    keys.press(f"{PAYMENTS}/{scene.charge}/notes", text=f"note {HOSTILE}")
    keys.says(f"note {HOSTILE}")


@walk("ops", SELECTED, *(f"{SELECTED}/{name}" for name in ("ask", "cancel", "fail", "void")))
def several(keys: Keys, scene: Scene) -> None:
    ids = {
        "ask": [subjects.payout(scene)],
        "cancel": [scene.scheduled(), scene.scheduled()],
        "fail": [scene.scheduled()],
        "void": [scene.held_charge()],
    }
    labels = {"ask": "Ask the bank …", "cancel": "Cancel …", "fail": "Fail …", "void": "Void …"}
    for name, label in labels.items():
        keys.open(f"{PAYMENTS}?ids={','.join(ids[name])}")
        keys.press(SELECTED, label, ids=ids[name])
        keys.press(f"{SELECTED}/{name}", reason=WHY)
        keys.says("ordered")
    for id in (*ids["cancel"], *ids["fail"], *ids["void"]):
        eventually(lambda id=id: scene.state(id) == "FAILED")


@walk("ops", SELECTED, BATCHES, f"{BATCHES}/<id>/stop", f"{BATCHES}/<id>/retry")
def batch(keys: Keys, scene: Scene) -> None:
    ids = [subjects.parked(scene) for _ in range(2)]
    keys.open(f"{PAYMENTS}?parked=true&ids={','.join(ids)}")
    keys.press(SELECTED, "Retry now …", ids=ids)
    with subjects.locked(scene, *ids):
        keys.press(BATCHES, reason=f"batch {HOSTILE}")
        keys.says(f"batch {HOSTILE}")
        stopped = keys.page.url.rpartition("/")[2]
        keys.press(f"{BATCHES}/{stopped}/stop", reason=WHY)
    eventually(lambda: scene.read("ops", f"/v1/ops/batches/{stopped}")["ended_at"])
    keys.open(f"{BATCHES}/{stopped}")
    keys.press(f"{BATCHES}/{stopped}/retry", reason=WHY)
    for id in ids:
        eventually(lambda id=id: scene.state(id) == "COMPLETED")
