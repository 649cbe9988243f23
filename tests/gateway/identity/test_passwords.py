"""N21 and N29: passwords are hashed, verified and refused, and no answer repeats them."""

import re
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher

from gateway.identity import passwords
from tests.gateway.harness import ApiHarness
from tests.gateway.identity.signed_up_users import PASSWORD, form, newcomer, outcome, sign_in, sign_up


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hash that each verification used."""
    seen: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, kept: str, password: str) -> bool:
        seen.append(kept)
        return verify(self, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    return seen


def test_stored_hash_is_argon2id_with_recommended_parameters(api: ApiHarness) -> None:
    email, _ = newcomer(api)
    [kept] = api.execute("SELECT password_hash FROM users WHERE email = %s", email)
    found = re.fullmatch(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$[\w+/]{22}\$[\w+/]{43}", kept)
    assert found
    memory_kib, passes, lanes = map(int, found.groups())
    assert memory_kib >= 19 * 1024
    assert passes >= 2
    assert lanes >= 1


def test_same_password_hashes_differently_each_time() -> None:
    assert passwords.hash(PASSWORD) != passwords.hash(PASSWORD)


def test_unknown_user_costs_one_verification(judged: list[str]) -> None:
    assert not passwords.verify(None, PASSWORD)
    assert len(judged) == 1
    assert re.findall(r"m=\d+,t=\d+,p=\d+", judged[0]) == re.findall(r"m=\d+,t=\d+,p=\d+", passwords.hash(PASSWORD))


def test_n21_unknown_and_known_users_cost_equal_verifications(api: ApiHarness, judged: list[str]) -> None:
    email, _ = newcomer(api)
    somebody = api.person()
    [without] = api.execute("SELECT email FROM users WHERE id = %s", somebody.id)
    answers = []
    for address in (email, "nobody@example.com", without):
        judged.clear()
        answer = sign_in(api, address, PASSWORD + "!")
        assert len(judged) == 1, address
        answers.append({k: v for k, v in answer.get_json().items() if k != "request_id"})
        assert outcome(answer) == (401, "credentials_invalid")
    assert answers[0] == answers[1] == answers[2]


def test_weak_hash_is_replaced_at_sign_in(api: ApiHarness) -> None:
    email, _ = newcomer(api)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    api.execute("UPDATE users SET password_hash = %s WHERE email = %s", weak, email)
    assert sign_in(api, email).status_code == 201
    [kept] = api.execute("SELECT password_hash FROM users WHERE email = %s", email)
    assert not passwords.needs_rehash(kept)
    assert passwords.needs_rehash(weak)
    assert sign_in(api, email).status_code == 201


LONG = "\u00e9" * 30 + "abcdefgh" * 12 + "zy"


def test_n29_long_password_is_not_truncated(api: ApiHarness) -> None:
    assert len(LONG) == 128
    email, _ = newcomer(api, password=LONG)
    assert outcome(sign_in(api, email, LONG[:-1] + "Y")) == (401, "credentials_invalid")
    assert outcome(sign_in(api, email, LONG[:72])) == (401, "credentials_invalid")
    assert sign_in(api, email, unicodedata.normalize("NFD", LONG)).status_code == 201


def test_n29_spaces_are_part_of_a_password(api: ApiHarness) -> None:
    padded = "  spaces all around  "
    email, _ = newcomer(api, password=padded)
    assert outcome(sign_in(api, email, padded.strip())) == (401, "credentials_invalid")
    assert sign_in(api, email, padded).status_code == 201


REFUSED = {
    "short": ("elevenchars", "password_too_short"),
    "short in characters, long in bytes": ("\u00e9\u00e8\u00ea\u00eb\u00e7" * 2, "password_too_short"),
    "short once composed": ("e\u0301o\u0301a\u0301u\u0301i\u0301y\u0301", "password_too_short"),
    "long": ("abcdef" * 21 + "xyz", "password_too_long"),
    "very long": ("abcdef" * 10_000, "password_too_long"),
    "few characters": ("abababababababab", "password_too_weak"),
    "the address": ("CANARY.PERSON@example.com", "password_too_weak"),
    "its local part": ("xx-Canary.Person-12", "password_too_weak"),
    "NUL": ("canary\x00password", "text_invalid"),
    "control": ("canary\npassword", "text_invalid"),
    "surrogate": ("canary\ud800password", "text_invalid"),
    "spaces": (" " * 20, "invalid_value"),
    "number": (123456789012, "invalid_type"),
    "null": (None, "null_not_allowed"),
    "list": (["canary password 12"], "invalid_type"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_n29_refused_password_is_not_repeated_in_answer(api: ApiHarness, case: str) -> None:
    password, code = REFUSED[case]
    with api.unchanged():
        answer = sign_up(api, form(email="canary.person@example.com", password=password))
    assert outcome(answer) == (422, code)
    assert [flaw["pointer"] for flaw in answer.get_json()["errors"]] == ["/password"]
    if isinstance(password, str):
        assert password.strip() == "" or password not in answer.get_data(as_text=True)


def test_password_containing_short_local_part_is_accepted(api: ApiHarness) -> None:
    assert sign_up(api, form(email="ann@example.net", password="annual planning 7")).status_code == 201


def test_n29_password_of_a_megabyte_is_refused(api: ApiHarness) -> None:
    with api.unchanged():
        assert outcome(sign_up(api, form(password="x" * 1_000_000))) == (413, "body_too_large")
        assert outcome(sign_in(api, "a@example.com", "x" * 1_000_000)) == (413, "body_too_large")
        assert outcome(sign_in(api, "a@example.com", "x" * 60_000)) == (422, "password_too_long")


def test_short_password_at_sign_in_is_wrong_not_invalid(api: ApiHarness) -> None:
    assert outcome(sign_in(api, "a@example.com", "x")) == (401, "credentials_invalid")


def test_two_passwords_are_hashed_at_once_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(passwords.HASHES_AT_ONCE_MAX, timeout=60)
    running, most, lock = set(), [], threading.Lock()

    class Hasher:
        def hash(self, password: str) -> str:
            with lock:
                running.add(password)
                most.append(len(running))
            both.wait()
            with lock:
                running.remove(password)
            return password

    monkeypatch.setattr(passwords, "_hasher", Hasher())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(passwords.hash, "abcdefgh")) == list("abcdefgh")
    assert max(most) == passwords.HASHES_AT_ONCE_MAX
