"""The way it is usually built first: plain Flask, one Celery task and one ORM transaction per payment.

web: `gunicorn --worker-class gthread bench.peers.naive_peer:web`;
worker: `celery -A bench.peers.naive_peer worker`;
run as a program with the number of accounts and a token it makes its tables; all read
NAIVE_DATABASE_URL and NAIVE_REDIS_URL.
"""

import hashlib
import os
import sys
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from celery import Celery
from flask import Flask, Response, abort, jsonify, request
from sqlalchemy import ForeignKey, Numeric, UniqueConstraint, create_engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["NAIVE_DATABASE_URL"], pool_size=8)
web = Flask(__name__)
worker = Celery("naive", broker=os.environ["NAIVE_REDIS_URL"])
worker.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, task_ignore_result=True)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    token_hash: Mapped[str] = mapped_column(unique=True)


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    balance: Mapped[Decimal] = mapped_column(Numeric(20, 2))


class Payment(Base):
    __tablename__ = "payments"
    __table_args__ = (UniqueConstraint("user_id", "key"),)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    key: Mapped[str]
    source_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    target_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 2))
    state: Mapped[str] = mapped_column(default="INITIATED", index=True)
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC).replace(tzinfo=None))
    finalized_at: Mapped[datetime | None]


class Operation(Base):
    __tablename__ = "operations"
    id: Mapped[int] = mapped_column(primary_key=True)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 2))


def shown(payment: Payment) -> tuple[Response, int, dict[str, str]]:
    """The 202 of a payment."""
    body = jsonify(id=str(payment.id), state=payment.state, amount=str(payment.amount))
    return body, 202, {"Location": f"/v1/payments/{payment.id}"}


@web.post("/v1/transfers")
def transfer() -> tuple[Response, int, dict[str, str]]:
    """Accept one transfer and publish its task."""
    token = request.headers["Authorization"].removeprefix("Bearer ")
    key = request.headers["Idempotency-Key"]
    order = request.get_json()
    with Session(engine, expire_on_commit=False) as session:
        user = session.scalar(select(User).filter_by(token_hash=hashlib.sha256(token.encode()).hexdigest()))
        if user is None:
            abort(401)
        payment = Payment(
            user_id=user.id,
            key=key,
            source_id=int(order["source"]),
            target_id=int(order["target"]),
            amount=Decimal(order["amount"]),
            state="INITIATED",
        )
        session.add(payment)
        try:
            session.commit()
        except IntegrityError:
            session.rollback()
            return shown(session.scalars(select(Payment).filter_by(user_id=user.id, key=key)).one())
    post.delay(str(payment.id))
    return shown(payment)


@worker.task
def post(payment_id: str) -> None:
    """Move the money of one payment."""
    with Session(engine) as session, session.begin():
        payment = session.get_one(Payment, UUID(payment_id), with_for_update=True)
        if payment.state != "INITIATED":
            return
        accounts = {
            account.id: account
            for account in session.scalars(
                select(Account)
                .where(Account.id.in_((payment.source_id, payment.target_id)))
                .order_by(Account.id)
                .with_for_update()
            )
        }
        payment.finalized_at = datetime.now(UTC).replace(tzinfo=None)
        source, target = accounts[payment.source_id], accounts[payment.target_id]
        if source.balance < payment.amount:
            payment.state = "FAILED"
            return
        source.balance -= payment.amount
        target.balance += payment.amount
        session.add(Operation(payment_id=payment.id, account_id=source.id, amount=-payment.amount))
        session.add(Operation(payment_id=payment.id, account_id=target.id, amount=payment.amount))
        payment.state = "COMPLETED"


def fill(accounts: int, token: str) -> None:
    """Make the tables, one user with this token, and accounts that all belong to it."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        user = User(token_hash=hashlib.sha256(token.encode()).hexdigest())
        session.add(user)
        session.flush()
        session.add_all(Account(id=n, owner_id=user.id, balance=Decimal(100_000)) for n in range(1, accounts + 1))


if __name__ == "__main__":
    fill(int(sys.argv[1]), sys.argv[2])
