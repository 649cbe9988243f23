"""A simulated bank over HTTP: pays out once per key, and misbehaves as the amount, or its operator, demands.

It has a database file of its own, and knows only the requests it receives.
"""

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from flask import Flask, request

CONFIRM, REJECT, DELAY = "confirm", "reject", "delay"
TIME_OUT_AFTER, TIME_OUT_BEFORE = "time out after acting", "time out before acting"
FAIL_AFTER, FAIL_BEFORE = "fail after acting", "fail without acting"
ANSWER_TWICE, RETURN = "answer twice", "return days later"

BEHAVIOURS = {
    Decimal("6660.01"): CONFIRM,
    Decimal("6660.02"): REJECT,
    Decimal("6660.03"): DELAY,
    Decimal("6660.04"): TIME_OUT_AFTER,
    Decimal("6660.05"): TIME_OUT_BEFORE,
    Decimal("6660.06"): FAIL_AFTER,
    Decimal("6660.07"): FAIL_BEFORE,
    Decimal("6660.08"): ANSWER_TWICE,
    Decimal("6660.09"): RETURN,
}
"""Magic amounts, in any currency; any other amount is confirmed at once."""

TIMES_OUT = 2
"""Time-outs before it acts."""

DELAY_SECONDS = 2.0
RETURN_SECONDS = 3 * 24 * 3600.0
"""By the bank's own clock, which its operator can advance."""

HANG_SECONDS = 10.0
"""Default delay of an answer that times out: longer than any client waits."""

AMOUNT = re.compile(r"\d{1,40}(\.\d{1,18})?", re.ASCII)
BODY_BYTES_MAX = 16 * 1024
NEWS_ITEMS_MAX = 200
BUSY_SECONDS_MAX = 10.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS payouts (
    key TEXT PRIMARY KEY, told TEXT NOT NULL, amount TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
    acted INTEGER NOT NULL DEFAULT 0, settles_at REAL, returns_at REAL);
CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, submitted INTEGER NOT NULL DEFAULT 0,
                                  inquired INTEGER NOT NULL DEFAULT 0, behaviour TEXT);
CREATE TABLE IF NOT EXISTS news (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL, status TEXT, amount TEXT,
    reason TEXT);
CREATE TABLE IF NOT EXISTS clock (ahead_seconds REAL NOT NULL);
INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT * FROM clock);
"""

Answer = tuple[dict[str, Any], int]
UNKNOWN: Answer = ({"code": "payout_unknown"}, 404)
BROKEN: Answer = ({"code": "broken"}, 500)
AMOUNT_INVALID: Answer = ({"code": "amount_invalid"}, 422)


class Bank:
    """The accounts of the bank, in a file."""

    def __init__(self, path: str, hang_seconds: float = HANG_SECONDS) -> None:
        self.path = path
        self.hang_seconds = hang_seconds
        with self._open() as books:
            books.executescript(f"PRAGMA journal_mode = WAL; {SCHEMA}")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection, closed afterwards."""
        books = sqlite3.connect(self.path, timeout=BUSY_SECONDS_MAX, isolation_level=None)
        books.row_factory = sqlite3.Row
        try:
            yield books
        finally:
            books.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that begins with all that is due by now."""
        with self._open() as books:
            books.execute("BEGIN IMMEDIATE")
            [ahead] = books.execute("SELECT ahead_seconds FROM clock").fetchone()
            now = time.time() + ahead
            for (key,) in books.execute("SELECT key FROM payouts WHERE settles_at <= ?", (now,)).fetchall():
                _act(books, key)
                _tell(books, key)
            for key, amount in books.execute(
                "SELECT key, amount FROM payouts WHERE returns_at <= ?", (now,)
            ).fetchall():
                books.execute("UPDATE payouts SET returns_at = NULL WHERE key = ?", (key,))
                _send_back(books, key, amount, "account closed")
            yield books
            books.execute("COMMIT")

    def submit(self, key: str, order: dict[str, Any]) -> Answer:
        """Pay out, once per key."""
        with self._transaction() as books:
            books.execute("INSERT INTO calls (key) VALUES (?) ON CONFLICT DO NOTHING", (key,))
            books.execute("UPDATE calls SET submitted = submitted + 1 WHERE key = ?", (key,))
            times, steered = books.execute("SELECT submitted, behaviour FROM calls WHERE key = ?", (key,)).fetchone()
            stored = books.execute("SELECT told FROM payouts WHERE key = ?", (key,)).fetchone()
            behaviour = steered or BEHAVIOURS.get(Decimal(order["amount"]), CONFIRM)
            if stored is not None:
                return _status(books, key) if stored["told"] == repr(order) else ({"code": "key_reused"}, 409)
            is_late = behaviour == TIME_OUT_BEFORE and times <= TIMES_OUT
            if not is_late and behaviour != FAIL_BEFORE:
                self._keep(books, key, order, behaviour)
            answer = _status(books, key)
        if is_late or behaviour == TIME_OUT_AFTER:
            time.sleep(self.hang_seconds)
            return BROKEN
        return BROKEN if behaviour in {FAIL_AFTER, FAIL_BEFORE} else answer

    def _keep(self, books: sqlite3.Connection, key: str, order: dict[str, Any], behaviour: str) -> None:
        [ahead] = books.execute("SELECT ahead_seconds FROM clock").fetchone()
        now = time.time() + ahead
        books.execute(
            "INSERT INTO payouts (key, told, amount, status, settles_at, returns_at) VALUES (?, ?, ?, 'pending', ?, ?)",
            (
                key,
                repr(order),
                order["amount"],
                now + DELAY_SECONDS if behaviour == DELAY else None,
                now + RETURN_SECONDS if behaviour == RETURN else None,
            ),
        )
        if behaviour == REJECT:
            books.execute("UPDATE payouts SET status = 'rejected', reason = 'account unknown' WHERE key = ?", (key,))
        elif behaviour != DELAY:
            _act(books, key)
        if behaviour == ANSWER_TWICE:
            _tell(books, key)
            _tell(books, key)

    def inquire(self, key: str) -> Answer:
        """The status of the payout, if there is one."""
        with self._transaction() as books:
            books.execute("UPDATE calls SET inquired = inquired + 1 WHERE key = ?", (key,))
            return _status(books, key)

    def news(self, after: int, limit: int) -> Answer:
        """The updates after that position: late answers, repeated answers, and money sent back."""
        with self._transaction() as books:
            rows = books.execute(
                "SELECT * FROM news WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
            ).fetchall()
        items = [{**dict(row), "id": f"news-{row['number']}"} for row in rows]
        return {"items": items, "position": rows[-1]["number"] if rows else after}, 200

    def counts(self) -> Answer:
        """For the operator: by key, how often the bank was called to pay, was asked, and paid."""
        with self._transaction() as books:
            rows = books.execute(
                "SELECT key, submitted, inquired, coalesce(acted, 0) AS acted, status,"
                " (SELECT count(*) FROM news n WHERE n.key = c.key AND n.kind = 'return') AS returned"
                " FROM calls c LEFT JOIN payouts USING (key)"
            ).fetchall()
        return {row["key"]: dict(row) for row in rows}, 200

    def steer(self, key: str, behaviour: str) -> Answer:
        """For the operator: set the behaviour for this key, whatever the amount."""
        with self._transaction() as books:
            books.execute("INSERT INTO calls (key) VALUES (?) ON CONFLICT DO NOTHING", (key,))
            books.execute("UPDATE calls SET behaviour = ? WHERE key = ?", (behaviour, key))
        return {"key": key, "behaviour": behaviour}, 200

    def send_back(self, key: str, amount: str | None, reason: str) -> Answer:
        """For the operator: return the money, or a part of it, now."""
        with self._transaction() as books:
            payout = books.execute("SELECT amount FROM payouts WHERE key = ? AND acted > 0", (key,)).fetchone()
            if payout is None:
                return UNKNOWN
            digits = len(payout["amount"].partition(".")[2])
            whole, _, fraction = (amount or payout["amount"]).partition(".")
            if len(fraction) > digits:
                return AMOUNT_INVALID
            given = f"{int(whole)}.{fraction.ljust(digits, '0')}" if digits else whole
            _send_back(books, key, given, reason)
        return {"key": key}, 200

    def put_forward(self, seconds: float) -> Answer:
        """For the operator: advance the clock."""
        with self._transaction() as books:
            books.execute("UPDATE clock SET ahead_seconds = ahead_seconds + ?", (seconds,))
        return {"seconds": seconds}, 200


def _act(books: sqlite3.Connection, key: str) -> None:
    books.execute("UPDATE payouts SET status = 'confirmed', acted = acted + 1, settles_at = NULL WHERE key = ?", (key,))


def _tell(books: sqlite3.Connection, key: str) -> None:
    books.execute(
        "INSERT INTO news (kind, key, status) SELECT 'answer', key, status FROM payouts WHERE key = ?", (key,)
    )


def _send_back(books: sqlite3.Connection, key: str, amount: str, reason: str) -> None:
    books.execute("INSERT INTO news (kind, key, amount, reason) VALUES ('return', ?, ?, ?)", (key, amount, reason))


def _status(books: sqlite3.Connection, key: str) -> Answer:
    row = books.execute("SELECT rowid, status, reason FROM payouts WHERE key = ?", (key,)).fetchone()
    if row is None:
        return UNKNOWN
    return {"status": row["status"], "reason": row["reason"], "reference": f"payout-{row['rowid']}"}, 200


def _text(order: Any, word: str) -> str:
    value = order.get(word) if isinstance(order, dict) else None
    return value if isinstance(value, str) else ""


def create_app(bank: Bank) -> Flask:
    """The bank as a WSGI application."""
    app = Flask("bank", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX

    @app.post("/payouts")
    def submit() -> Answer:
        order, key = request.get_json(), request.headers.get("Idempotency-Key", "")
        if not (key and AMOUNT.fullmatch(_text(order, "amount")) and _text(order, "iban") and _text(order, "name")):
            return {"code": "payout_refused", "reason": "amount, iban, name and Idempotency-Key are needed"}, 422
        return bank.submit(key, order)

    @app.get("/payouts/<key>")
    def inquire(key: str) -> Answer:
        return bank.inquire(key)

    @app.get("/news")
    def news() -> Answer:
        limit = min(request.args.get("limit", NEWS_ITEMS_MAX, int), NEWS_ITEMS_MAX)
        return bank.news(request.args.get("after", 0, int), limit)

    @app.get("/admin/payouts")
    def counts() -> Answer:
        return bank.counts()

    @app.post("/admin/payouts/<key>/behaviour")
    def steer(key: str) -> Answer:
        behaviour = request.get_json()["behaviour"]
        if behaviour not in BEHAVIOURS.values():
            return {"code": "behaviour_unknown", "behaviours": list(BEHAVIOURS.values())}, 422
        return bank.steer(key, behaviour)

    @app.post("/admin/payouts/<key>/return")
    def send_back(key: str) -> Answer:
        order = request.get_json()
        amount = _text(order, "amount")
        if order.get("amount") is not None and not (AMOUNT.fullmatch(amount) and Decimal(amount) > 0):
            return AMOUNT_INVALID
        return bank.send_back(key, amount or None, _text(order, "reason") or "returned")

    @app.post("/admin/clock")
    def put_forward() -> Answer:
        return bank.put_forward(float(request.get_json()["seconds"]))

    return app


def app() -> Flask:
    """The WSGI application for gunicorn: the bank whose file the environment names."""
    return create_app(Bank(os.environ["BANK_FILE"], float(os.environ.get("BANK_HANG_SECONDS", HANG_SECONDS))))
