"""The pages of a merchant's members: invitations, roles, removal, and what each role sees and may do."""

from gateway.pages.app import members
from models.membership import MemberRole
from tests.gateway.harness import ApiHarness
from tests.gateway.identity.signed_up_users import mailed, newcomer
from tests.gateway.pages.browsers import PASSWORD, Browser, Elements, alerts

PATH, ACCEPT = "/app/members", "/sign-in/invitation"


def joined(api: ApiHarness, owner: Browser, email: str, role: str) -> Browser:
    """A browser of an invited person who accepted and signed in, all by forms."""
    sent = owner.form(f"{PATH}/invitations", {"email": email, "role": role}, PATH)
    assert sent.location == f"{PATH}?done=invite", sent.text
    browser = Browser(api)
    person = {"token": mailed(api, email), "first_name": "Mia", "last_name": "Member", "password": PASSWORD}
    accepted = browser.form(ACCEPT, person)
    assert accepted.status_code == 200, accepted.text
    [link] = [a["href"] for a in Elements(accepted.text).all("a") if "merchant=" in (a["href"] or "")]
    [merchant] = browser.page(str(link)).all("input", name="merchant")
    signed = browser.form("/sign-in", {"email": email, "password": PASSWORD, "merchant": merchant["value"]}, str(link))
    assert (signed.status_code, signed.location) == (303, "/app"), signed.text
    return browser


def test_owner_operator_and_viewer_see_and_do_different_things(api: ApiHarness) -> None:
    _, founder = newcomer(api, "merchant")
    owner = Browser(api, founder.token)
    api.execute("UPDATE users SET email_confirmed_at = now() WHERE id = %s", founder.id)
    viewer = joined(api, owner, "viewer@example.com", "viewer")
    operator = joined(api, owner, "operator@example.com", "operator")
    paths = {"/app", "/app/payments", "/app/webhooks", "/app/closing", PATH, "/app/access", "/app/profile"}
    for browser, may_charge in ((viewer, False), (operator, True)):
        page = browser.page("/app")
        links = {link["href"] for link in page.all("a")}
        assert links >= paths
        assert ("/app/charges/new" in links) == may_charge
        assert (
            browser.get("/app/charges/new").status_code == 200 if may_charge else browser.get("/app/charges/new", 403)
        )
        for path in (PATH, "/app/webhooks", "/app/access"):
            forms = {form["action"] for form in browser.page(path).all("form", method="post")}
            assert not [
                action for action in forms if (action or "").startswith(f"{path}/") and "sessions" not in action
            ]
        with api.unchanged():
            invitation = {"email": "x@example.com", "role": "owner"}
            assert browser.form(f"{PATH}/invitations", invitation, "/app").status_code == 403
            assert browser.form(f"{PATH}/{founder.id}/remove", {}, "/app").status_code == 403
            new = {"url": "https://8.8.8.8/", "event_types": "*"}
            assert browser.form("/app/webhooks", new, "/app").status_code == 403
    [id] = api.execute("SELECT id::text FROM users WHERE email = %s", "viewer@example.com")
    assert owner.form(f"{PATH}/{id}/role", {"role": "operator"}, PATH).location == f"{PATH}?done=role"
    viewer.get("/app/charges/new")
    assert "founder_is_owner" in alerts(owner.form(f"{PATH}/{founder.id}/role", {"role": "viewer"}, PATH))
    assert owner.form(f"{PATH}/{id}/remove", {}, PATH).location == f"{PATH}?done=remove"
    assert "/sign-in" in viewer.get("/app", 303).location
    assert "last_owner" in alerts(owner.form(f"{PATH}/{founder.id}/remove", {}, PATH))


def test_invitations_are_withdrawn_and_refusals_stand_at_their_fields(api: ApiHarness) -> None:
    _, founder = newcomer(api, "merchant")
    owner, nobody = Browser(api, founder.token), Browser(api)
    refused = owner.form(f"{PATH}/invitations", {"email": "no", "role": "owner"}, PATH)
    assert [tag["name"] for _, tag in Elements(refused.text).tags if tag.get("aria-invalid")] == ["email"]
    assert owner.form(f"{PATH}/invitations", {"email": "mia@example.com", "role": "owner"}, PATH).status_code == 303
    token = mailed(api, "mia@example.com")
    weak = nobody.form(ACCEPT, {"token": token, "password": "short"})
    fields = [tag["name"] for _, tag in Elements(weak.text).tags if tag.get("aria-invalid")]
    assert weak.status_code == 422
    assert "password" in fields
    assert "short" not in weak.text.split("</form>")[0].split("<form")[1].replace("password_too_short", "")
    [withdraw] = [f["action"] for f in owner.page(PATH).all("form") if (f["action"] or "").endswith("/withdraw")]
    assert owner.form(str(withdraw), {}, PATH).location == f"{PATH}?done=withdraw"
    invalid = nobody.form(ACCEPT, {"token": token})
    assert [tag["name"] for _, tag in Elements(invalid.text).tags if tag.get("aria-invalid")] == ["token"]
    assert nobody.post(ACCEPT, {"token": token}).status_code == 403


def test_owner_changes_what_customers_see(api: ApiHarness) -> None:
    _, founder = newcomer(api, "merchant")
    owner, path = Browser(api, founder.token), f"{PATH}/merchant"
    [stale] = owner.page(PATH).all("input", name="etag")
    values = {"name": "<img src=x>", "url": "https://shop.example", "etag": stale["value"]}
    assert owner.form(path, values, PATH).location == f"{PATH}?done=merchant"
    page = owner.page(PATH)
    assert not page.all("img")
    [now] = page.all("input", name="etag")
    refused = owner.form(path, {**values, "name": "Mine"}, PATH)
    assert (refused.status_code, "precondition_failed" in alerts(refused)) == (412, True)
    assert "Mine" not in refused.text
    empty = owner.form(path, {"name": "", "url": "https://x.example", "etag": now["value"]}, PATH)
    assert [tag["name"] for _, tag in Elements(empty.text).tags if tag.get("aria-invalid")] == ["name"]
    assert founder.get("/v1/merchant").get_json()["name"] == "<img src=x>"


def test_the_roles_are_those_of_the_api() -> None:
    assert {role for role, _ in members.ROLES} == set(MemberRole)
