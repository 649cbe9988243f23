"""Actions that move money: each draws user, wallets and amount, and says why it must be refused, if it must."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from tests.e2e.state_machine.environments import World
from tests.e2e.state_machine.harness import ROLES, WALLETS, PaymentMachine, decimal
from tests.e2e.state_machine.model import Payment, Quote, User, quote

LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
RATES = {("EUR", "USD"): ("1.0837", "0.5"), ("USD", "EUR"): ("0.9131", "1.25")}
"""Rate and spread, which is a percentage."""

MERCHANTS = {"shop": "Shop", "shop's dollars": "Shop", "mall": "Mall"}
OWN = [("ann", "ann's other"), ("ann's other", "ann")]
OUTSIDE = ["wire", "wallet", "crypto"]
PAYEE = {"iban": "DE89370400440532013000", "name": "Somebody"}
"""The account that a bank is to pay."""

names, small = st.sampled_from(sorted(WALLETS)), st.integers(1, 120)


class Actions(PaymentMachine):
    """The acts that move money, or will; `data` is what they draw from."""

    data: st.DataObject

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.quotes: dict[str, list[Quote]] = {}
        for (source, target), (rate, spread) in RATES.items():
            body = {"source": source, "target": target, "rate": rate, "spread": spread, "source_name": "bank"}
            assert self.call(self.users["Kim"], "PUT", "/v1/exchange-rates", body).status == 200

    # What is drawn

    def _one(self, among: Any) -> Any:
        among = list(among)
        return among[self.data.draw(st.integers(0, len(among) - 1))]

    def _chance(self, of: int) -> bool:
        return self.data.draw(st.integers(1, of)) == 1

    def _name(self) -> str:
        """A wallet, more often than others one that is frozen, or of which something is held."""
        likely = [name for name, wallet in self.wallets.items() if wallet.is_frozen or wallet.held]
        return self._one(likely) if likely and self._chance(3) else self.data.draw(names)

    def _amount(self, name: str) -> int:
        """Small and odd, or about what there is: with what is held, without it, and a cent more."""
        wallet = self.wallets[name]
        edges = st.sampled_from([wallet.balance, wallet.balance - wallet.held + 1, wallet.balance - wallet.held])
        if wallet.held and self._chance(3):
            return max(self.data.draw(edges), 1)
        return max(self.data.draw(st.one_of(small, small, st.integers(1, 150_00), edges)), 1)

    def _among(self, type: str, *likely: Any) -> tuple[str, Payment] | None:
        """One of the payments of that type, most often one of which the first is true that is of any."""
        among = {id: payment for id, payment in self.model.payments.items() if payment.type == type}
        if not among:
            return None
        for is_likely in likely:
            chosen = {id: payment for id, payment in among.items() if is_likely(payment)}
            if chosen and not self._chance(4):
                among = chosen
                break
        return self._one(among.items())

    def _inactive(self, *names: str) -> str | None:
        return "account_inactive" if any(not self.wallets[name].is_usable for name in names) else None

    # Names

    def _owner(self, name: str) -> User:
        return self.users[WALLETS[name][0]]

    def _people(self, role: str) -> list[User]:
        return [self.users[name] for name, of in ROLES.items() if of == role]

    def _user_id(self, user: User) -> str:
        return next(self.ids[name][1] for name in WALLETS if self._owner(name) is user)

    def _money(self, name: str, amount: int) -> dict[str, str]:
        return {"wallet": self.addresses[name], "amount": decimal(amount), "currency": WALLETS[name][1]}

    # Money in and out

    def deposit(self) -> None:
        name = self.data.draw(names)
        self._deposit(name, self._amount(name), self._one(OUTSIDE))

    def _deposit(self, name: str, amount: int, source: str) -> None:
        wallet = self.wallets[name]
        payment = Payment("deposit", self._owner(name), self.model.technical[source, wallet.currency], wallet, amount)
        self.order("/v1/deposits", payment, self._inactive(name), source=source, **self._money(name, amount))

    def withdraw(self) -> None:
        name, target = self._name(), self._one(OUTSIDE)
        wallet, amount = self.wallets[name], self._amount(name)
        payment = Payment(
            "withdrawal", self._owner(name), wallet, self.model.technical[target, wallet.currency], amount
        )
        whom = PAYEE if target == "wire" else {}
        order = {"target": target, **self._money(name, amount), **whom}
        self.order("/v1/withdrawals", payment, self._inactive(name), **order)

    def adjust(self) -> None:
        """An operator proposes; only another's approval counts, and once."""
        name, direction = self._name(), self._one(["credit", "debit"])
        wallet, amount = self.wallets[name], self._amount(name)
        kim, lee, internal = self.users["Kim"], self.users["Lee"], self.model.technical["internal", wallet.currency]
        body = {"account": self.ids[name][0], "direction": direction, "reason": "A slip.", **self._money(name, amount)}
        self.ask(kim, "/v1/ops/adjustments", {k: v for k, v in body.items() if k != "wallet"}, None)
        path = f"/v1/ops/adjustments/{self.answered[-1][1].body['id']}/approve"
        assert self.is_accepted(self.call(kim, "POST", path, {}), kim, "own_adjustment") is False
        approved = [self.call(lee, "POST", path, {}) for _ in range(2)]
        assert [reply.status for reply in approved] == [202, 202]
        assert approved[0].body == approved[1].body
        sides = (internal, wallet) if direction == "credit" else (wallet, internal)
        self.keep(approved[0].body["payment"], Payment("adjustment", lee, *sides, amount))
        self.after()

    def bonus(self) -> None:
        name = self.data.draw(names)
        self.pay_bonus(name, self.data.draw(small))
        self._tell()

    # Between wallets

    def transfer(self) -> None:
        by, to = self._one(OWN) if self._chance(4) else (self._name(), self._name())
        source, target, amount = self.wallets[by], self.wallets[to], self._amount(by)
        refusal = self._inactive(by, to)
        if source is target:
            refusal = "same_source_and_target"
        elif source.currency != target.currency:
            refusal = "currency_mismatch"
        payment = Payment("transfer", self._owner(by), source, target, amount, is_scheduled=self._chance(4))
        body = {"source": self.addresses[by], "target": self.addresses[to], "amount": decimal(amount)}
        when = {"scheduled_at": LATER} if payment.is_scheduled else {}
        self.order("/v1/transfers", payment, refusal, currency=source.currency, **body, **when)

    def charge(self) -> None:
        shop_wallet = self._one(MERCHANTS)
        name = self._one(name for name, wallet in self.wallets.items() if wallet.currency == WALLETS[shop_wallet][1])
        self._charge(name, shop_wallet, self._amount(name), capture=not self._chance(2))

    def _charge(self, name: str, shop_wallet: str, amount: int, *, capture: bool) -> None:
        is_own = self._owner(name) is self._owner(shop_wallet)
        refusal = "own_wallet" if is_own else self._inactive(name, shop_wallet)
        payment = Payment(
            "charge", self._owner(shop_wallet), self.wallets[name], self.wallets[shop_wallet], amount, capture
        )
        more = {"target": self.addresses[shop_wallet], "capture": capture}
        self.order("/v1/charges", payment, refusal, **self._money(name, amount), **more)

    def refund(self) -> None:
        """Up to three parts of one charge, most often of a wallet that is closed now, or of one with parts refunded."""
        found = self._among(
            "charge",
            lambda charge: charge.moved > charge.refunded and not charge.source.is_usable,
            lambda charge: charge.moved > charge.refunded > 0,
            lambda charge: charge.moved > charge.refunded,
        )
        if found is None:
            return
        id, charge = found
        charged = charge.moved or charge.amount
        for _ in range(self.data.draw(st.integers(1, 3))):
            left = charged - charge.refunded or charged
            part = self._one([*[self.data.draw(small)] * 3, None, left // 2, left + 1])
            amount = part or left
            payment = Payment("refund", charge.maker, charge.target, charge.source, amount, charge=charge)
            refusal = None if charge.target.is_usable else "account_inactive"
            body = {"charge": id, "reason": "duplicate", **({"amount": decimal(part)} if part else {})}
            self.order("/v1/refunds", payment, refusal, **body)

    # Holds, and what is taken back

    def end_charge(self) -> None:
        """In time or late; only in time where a sweep may come in between, and change the answer."""
        if not any(p.state == "AUTHORIZED" for p in self.model.payments.values()) and not self._chance(4):
            self._charge(self._one(["ann", "bob"]), "shop", self.data.draw(small), capture=False)
            self.post()
        found = self._among("charge", lambda charge: charge.state == "AUTHORIZED")
        if found is None:
            return
        id, charge = found
        kind, part = self._one(["capture", "capture", "void"]), None
        if self._chance(3) and not self.world.posts_by_itself:
            self.expire(id, charge)
        if kind == "capture" and not self._chance(3):
            self._end(charge, kind, f"/v1/charges/{id}/{kind}", charge.amount + 1)
            part = self._one([1, charge.amount - 1, charge.amount, self.data.draw(small)]) or 1
        self._end(charge, kind, f"/v1/charges/{id}/{kind}", part)

    def cancel(self) -> None:
        found = self._among(self._one(["transfer", "charge", "withdrawal"]), lambda p: p.state == "INITIATED")
        if found is not None:
            self._end(found[1], "cancel", f"/v1/payments/{found[0]}/cancel")

    def _end(self, payment: Payment, kind: str, path: str, part: int | None = None) -> None:
        """Of capture, void and cancel the first counts, if the payment can be ended so at all."""
        refusal = "ending_ordered" if payment.is_to_end else None
        if payment.state != ("INITIATED" if kind == "cancel" else "AUTHORIZED"):
            refusal = "illegal_transition"
        elif part is not None and part > payment.amount:
            refusal = "amount_too_large"
        if self.ask(payment.maker, path, {"amount": decimal(part)} if part else {}, refusal):
            payment.is_to_end = True
            self.model.commands.append((payment, kind, part))
        self.after()

    def pass_time(self) -> None:
        """A hold expires, or a scheduled transfer comes due."""
        for found, passes in (
            (self._among("charge", lambda charge: charge.state == "AUTHORIZED"), self.expire),
            (self._among("transfer", lambda transfer: transfer.is_scheduled), self.come_due),
        ):
            if found is not None and self._chance(2):
                passes(*found)
        self._tell()

    def _tell(self) -> None:
        """No request has rung for it."""
        self.world.ring()
        self.after()

    # Exchange

    def exchange(self) -> None:
        """A quote is requested, and most often used at once."""
        user = self.users[self._one(["Ann", "Ann", "Bob", "Shop"])]
        currencies, side = self._one(RATES), self._one(["source", "target"])
        amount = self.data.draw(st.one_of(st.integers(1, 3), small, st.integers(1, 60_00)))
        rate, spread = (Fraction(text) for text in RATES[currencies])
        exchanged, sent = (
            quote(type, user, currencies, side, amount, rate, spread / 100) for type in ("exchange", "transfer")
        )
        body = {"source_currency": currencies[0], "target_currency": currencies[1], "side": side}
        reply = self.call(user, "POST", "/v1/quotes", {**body, "amount": decimal(amount)})
        if self.is_accepted(reply, user, None if exchanged or sent else "amount_too_small"):
            for offer, shown in ((exchanged, reply.body), (sent, reply.body["transfer"] or {})):
                figures = [offer.amount, offer.arrives, offer.commission] if offer else []
                amounts = [shown.get(name) for name in ("source_amount", "target_amount", "commission")]
                assert [text for text in amounts if text is not None] == [decimal(figure) for figure in figures]
            self.quotes[reply.body["id"]] = [offer for offer in (exchanged, sent) if offer]
            if not self._chance(4):
                self._use(reply.body["id"])

    def use_quote(self) -> None:
        """One that was given before, used or not."""
        if self.quotes:
            self._use(self._one(self.quotes))

    def _use(self, id: str) -> None:
        quote = self._one(self.quotes[id])
        is_transfer = quote.type == "transfer"
        by, to = (
            self._one(
                n for n, (owner, holds) in WALLETS.items() if holds == wanted and (owner == quote.user.name) is own
            )
            for wanted, own in zip(quote.currencies, (True, not is_transfer), strict=True)
        )
        refusal = self._inactive(by, to) or ("quote_used" if quote.is_used else None)
        payment = Payment(quote.type, quote.user, self.wallets[by], self.wallets[to], quote.amount, quote=quote)
        body = {"source": self.addresses[by], "target": self.addresses[to], "quote": id}
        if is_transfer:
            body |= {"amount": decimal(quote.amount), "currency": quote.currencies[0]}
        if self.order(f"/v1/{quote.type}s", payment, refusal, **body):
            for offer in self.quotes[id]:
                offer.is_used = True
