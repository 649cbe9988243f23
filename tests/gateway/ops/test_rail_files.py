"""Files of a rail are downloaded by those who read rails, and by nobody else; hostile names stay text."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import pytest

from models import rail
from models.audit import Actor
from models.rail import BankFile, ContentDiffers
from models.session import transaction
from tests.builders import new_id
from tests.gateway.harness import ApiHarness, ApiUser

XML, BYTES = "application/xml", "application/octet-stream"
PAIN = b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09">DE89370400440532013000</Document>'
SCRIPT = b"<html><script>alert(1)</script>\0\xff"
NAMES = (
    *('a"; filename="b.html', "../../etc/passwd", "..", ".htaccess", "c:\\d\\e.xml", "a\r\nSet-Cookie: x=1", "名.xml"),
    *("a\u202elmx.exe", "%2e%2e%2fx", "a;b,c.xml", "-", "<img src=x onerror=alert(1)>.xml"),
)


def path_of(file: Mapping[str, Any]) -> str:
    return f"/v1/ops/rails/{file['rail']}/files/{file['id']}/content"


@pytest.fixture(scope="module")
def files(api: ApiHarness) -> dict[str, dict[str, Any]]:
    """Files of the rail r by state, one of them too large to be kept, and one of another rail, as the list has them."""
    with transaction(api.worker) as connection:
        noted = [BankFile("written", "w.xml", 1, PAIN), BankFile("read", "same.xml", 2, PAIN)]
        noted += [BankFile("broken", "same.xml", None, SCRIPT), BankFile("written", "large.xml", 1)]
        rail.note_files(connection, "r", noted)
        rail.note_files(connection, "other", [BankFile("read", "same.xml", 2, b"<other/>")])
    ops = api.person("ops")
    rows = [row for name in ("r", "other") for row in ops.get(f"/v1/ops/rails/{name}/files").get_json()["data"]]
    return {f"{row['rail']} {row['state']} {row['name']}": row for row in rows}


def test_file_is_downloaded_and_the_audit_log_says_by_whom(
    api: ApiHarness, ops: ApiUser, files: dict[str, dict[str, Any]]
) -> None:
    kinds = {"r written w.xml": (PAIN, XML), "r read same.xml": (PAIN, XML), "r broken same.xml": (SCRIPT, BYTES)}
    kinds["other read same.xml"] = (b"<other/>", XML)
    for reader in (ops, api.person("auditor")):
        for key, (content, media_type) in kinds.items():
            file = files[key]
            answer = reader.get(path_of(file), Accept=f"{XML}, {BYTES}")
            assert (answer.status_code, answer.data, answer.headers["Content-Type"]) == (200, content, media_type)
            assert answer.headers["Content-Disposition"] == f'attachment; filename="{file["name"]}"'
            assert answer.headers["Cache-Control"] == "no-store"
            assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
            entry = api.audit_log(file["id"])[-1]
            assert (entry["actor"], entry["action"], entry["written_by"]) == (
                *(reader.id, "rail_files.download"),
                "payments_gateway",
            )
            assert entry["after"] == {name: file[name] for name in ("rail", "state", "name", "sha256")}
    assert (files["r written large.xml"]["bytes"], files["r written large.xml"]["sha256"]) == (None, None)


def test_nobody_else_downloads_a_file(
    api: ApiHarness, ops: ApiUser, client: ApiUser, merchant: ApiUser, files: dict[str, dict[str, Any]]
) -> None:
    path, narrow = path_of(files["r written w.xml"]), api.person("ops", scopes=["ops:retry"])
    with api.unchanged():
        assert api.anonymous().get(path).status_code == 401
        for stranger in (client, merchant, narrow):
            for method in ("GET", "HEAD"):
                answer = stranger.call(method, path)
                assert (answer.status_code, PAIN in answer.data) == (403, False)
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert ops.call(method, path).status_code == 405


def test_path_that_names_no_kept_file_is_not_found(
    api: ApiHarness, ops: ApiUser, files: dict[str, dict[str, Any]]
) -> None:
    own, large = files["r written w.xml"]["id"], files["r written large.xml"]
    ids = (
        new_id(),
        "w.xml",
        "..",
        "%2e%2e%2fw.xml",
        "w.xml%00",
        own.upper(),
        own.replace("-", ""),
        f"{own}%0a",
        "x" * 999,
    )
    paths = [f"/v1/ops/rails/r/files/{id}/content" for id in ids]
    paths += [f"/v1/ops/rails/{name}/files/{own}/content" for name in ("other", "R", "r%20", "..", "%27", "x" * 999)]
    with api.unchanged():
        for path in (*paths, path_of(large)):
            answer = ops.get(path)
            assert (answer.status_code, PAIN in answer.data) == (404, False), path


def test_name_of_a_bank_fools_no_header(api: ApiHarness, ops: ApiUser) -> None:
    with transaction(api.worker) as connection:
        rail.note_files(connection, "hostile", [BankFile("read", name, 1, PAIN) for name in NAMES])
    rows = ops.get("/v1/ops/rails/hostile/files").get_json()["data"]
    assert {row["name"] for row in rows} == set(NAMES)
    for row in rows:
        answer = ops.get(path_of(row))
        assert re.fullmatch(
            r'attachment; filename="[A-Za-z0-9_-][A-Za-z0-9._-]*"', answer.headers["Content-Disposition"]
        ), row["name"]
        assert "Set-Cookie" not in answer.headers
        assert answer.data == PAIN


def test_head_range_and_accept_are_no_way_around_the_log(
    api: ApiHarness, ops: ApiUser, files: dict[str, dict[str, Any]]
) -> None:
    path = path_of(files["r written w.xml"])
    with api.unchanged():
        head = ops.call("HEAD", path)
        assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(PAIN)))
        for accept in ("application/json", "text/html", BYTES):
            assert ops.get(path, Accept=accept).status_code == 406
        assert ops.get(f"{path}?name=../x").status_code == 422
    before = len(api.audit_log(files["r written w.xml"]["id"]))
    part = ops.get(
        path, Range="bytes=0-3", **{"If-None-Match": "*", "If-Modified-Since": "Wed, 01 Jan 2099 00:00:00 GMT"}
    )
    assert (part.status_code, part.data) == (200, PAIN)
    assert len(api.audit_log(files["r written w.xml"]["id"])) == before + 1


def test_content_that_lost_its_hash_is_not_given_out(api: ApiHarness, files: dict[str, dict[str, Any]]) -> None:
    id = files["r written w.xml"]["id"]
    with api.owner.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE rail_file_contents DISABLE TRIGGER USER")
        connection.exec_driver_sql("ALTER TABLE rail_file_contents DROP CONSTRAINT rail_file_contents_have_their_hash")
        connection.exec_driver_sql("UPDATE rail_file_contents SET content = 'x' WHERE file_id = %s", (id,))
        kept = rail.file(connection, id)
        assert kept is not None
        with pytest.raises(ContentDiffers):
            rail.download(connection, Actor("ann"), kept)
        connection.rollback()
