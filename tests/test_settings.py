"""Settings from the environment: read into their types, bounded, and refused with a message."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from environs import EnvError

import settings


@pytest.fixture(autouse=True)
def read_again(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner:secret@db/payments")
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("WAITERS_PER_USER_MAX", "3", 3),
        ("LARGE_READS_MAX", "7", 7),
        ("QUEUE_AGE_MAX_SECONDS", "0", 0),
        ("QUOTE_TTL_SECONDS", "90", 90),
        ("AUDITOR_FREEZES_MAX", "20", 20),
        ("HOLD_TTL_HOURS", "48", 48),
        ("POSTING_LANES", "4", 4),
        ("DEFAULT_CURRENCIES", "EUR, USD", ("EUR", "USD")),
        ("RECEIPT_KEY", "ab" * 32, "ab" * 32),
        ("MAIL_FROM", "Shop <shop@example.com>", "Shop <shop@example.com>"),
        ("BROKER_URL", "redis+socket:///run/valkey.sock?virtual_host=0", "unix:///run/valkey.sock?db=0"),
        ("BROKER_URL", "amqp://worker:secret@mq:5672/payments", "amqp://worker:secret@mq:5672/payments"),
    ],
)
def test_setting_given_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    monkeypatch.setenv(name, text)
    assert getattr(settings.load(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WAITERS_PER_USER_MAX", "10001"),
        ("LARGE_READS_MAX", "0"),
        ("LARGE_READS_MAX", "8"),
        ("QUEUE_AGE_MAX_SECONDS", "-1"),
        ("QUOTE_TTL_SECONDS", "0"),
        ("AUDITOR_FREEZES_MAX", "-1"),
        ("HOLD_TTL_HOURS", "745"),
        ("POSTING_LANES", "0"),
        ("DEFAULT_CURRENCIES", "EUR,dollars"),
        ("RECEIPT_KEY", "ab" * 31),
    ],
)
def test_setting_out_of_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(EnvError, match=name):
        settings.load()


@pytest.mark.parametrize(
    "redis_url", ["unix:///run/valkey.sock?db=0", "redis+socket:///run/valkey.sock?virtual_host=0"]
)
def test_limits_redis_url_default_is_database_one(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    monkeypatch.delenv("LIMITS_REDIS_URL", raising=False)
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert settings.load().limits_redis_url == "unix:///run/valkey.sock?db=1"


@pytest.mark.parametrize(("own", "expected"), [(None, "redis://there/0"), ("amqp://mq/payments", "amqp://mq/payments")])
def test_the_broker_is_redis_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, own: str | None, expected: str
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://there/0")
    if own:
        monkeypatch.setenv("BROKER_URL", own)
    assert (settings.load().broker_url, settings.load().limits_redis_url) == (expected, "redis://there/1")


def test_any_variable_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32 + "\n")
    (tmp_path / "url").write_text("postgresql://payments_gateway:secret@there/payments\n")
    monkeypatch.setenv("RECEIPT_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("GATEWAY_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert settings.load().receipt_key == "ab" * 32
    assert settings.load().gateway_database_url == "postgresql+psycopg2://payments_gateway:secret@there/payments"


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", "/nowhere/key")
    with pytest.raises(ValueError, match="SECRET_KEY_FILE"):
        settings.load()
