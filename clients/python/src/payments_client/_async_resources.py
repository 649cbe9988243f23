"""Every operation of the API as a method to be awaited. Written by the generator from docs/openapi.json."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from payments_client import models
from payments_client.async_resource import AsyncCore, AsyncFollows, AsyncPages, AsyncResource, AsyncUploads
from payments_client.encoding import UNSET, Amount, AmountBounds, NumberBounds, SideFilter, TimeBounds, Unset
from payments_client.inputs import ChargeLine, LimitInput, RetryFilter, TransferLine
from payments_client.payment import AsyncPayment
from payments_client.requests import SocketAddress


class AsyncApiKeys(AsyncResource):
    """The operations on api keys."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[models.ApiKey]:
        """List your active API keys, newest first.

        GET /v1/api-keys
        """
        return self._pages(models.ApiKey, "list_api_keys", locals())

    async def create(
        self,
        *,
        name: str,
        scopes: Sequence[
            Literal[
                "api-keys:read",
                "api-keys:write",
                "bulks:write",
                "charges:write",
                "currencies:read",
                "deposits:own",
                "deposits:write",
                "me:read",
                "me:write",
                "members:read",
                "members:write",
                "merchant:read",
                "merchant:write",
                "ops:adjustments",
                "ops:assignments",
                "ops:breaches",
                "ops:commissions",
                "ops:currencies",
                "ops:freeze",
                "ops:notes",
                "ops:pause",
                "ops:payments",
                "ops:rates",
                "ops:read",
                "ops:reconciliations",
                "ops:resolutions",
                "ops:retry",
                "ops:shared-views",
                "ops:users",
                "ops:views",
                "ops:webhooks",
                "payments:read",
                "payments:read-all",
                "second-factor:read",
                "second-factor:write",
                "sessions:read",
                "sessions:write",
                "transfers:write",
                "wallets:read",
                "wallets:read-all",
                "wallets:write",
                "webhooks:read",
                "webhooks:write",
                "withdrawals:write",
            ]
        ]
        | None = None,
        expires_at: datetime | None = None,
    ) -> models.NewApiKey:
        """Create an API key, with no more scopes than the token that creates it; the key is shown only once.

        POST /v1/api-keys
        """
        return await self._call(models.NewApiKey, "create_api_key", locals())

    async def roll(self, id: str, *, overlap_seconds: int | None = None) -> models.NewApiKey:
        """Replace an API key with a new one of the same name, scopes and expiry; the old one ends after the overlap.

        POST /v1/api-keys/{id}/roll
        """
        return await self._call(models.NewApiKey, "roll_api_key", locals())

    async def delete(self, id: str) -> None:
        """Revoke an API key.

        DELETE /v1/api-keys/{id}
        """
        await self._do("delete_api_key", locals())


class AsyncBankAccounts(AsyncResource):
    """The operations on bank accounts."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[models.BankAccount]:
        """List your bank accounts, newest first.

        GET /v1/bank-accounts
        """
        return self._pages(models.BankAccount, "list_bank_accounts", locals())

    async def create(
        self, *, organization_name: str, iban: str, wallet: str, bic: str | None = None
    ) -> models.BankAccount:
        """Register a bank account of an organisation, with the wallet of yours that pays for it.

        POST /v1/bank-accounts
        """
        return await self._call(models.BankAccount, "create_bank_account", locals())

    async def get(self, id: str) -> models.BankAccount:
        """Get one of your bank accounts.

        GET /v1/bank-accounts/{id}
        """
        return await self._call(models.BankAccount, "get_bank_account", locals())

    async def update(self, id: str, *, is_active: bool, if_match: str) -> models.BankAccount:
        """Activate or deactivate one of your bank accounts; an inactive one cannot pay.

        PATCH /v1/bank-accounts/{id}
        """
        return await self._call(models.BankAccount, "update_bank_account", locals())


class AsyncBulkCharges(AsyncUploads):
    """The operations on bulk charges."""

    _one = "bulk_charge"

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, state: str | Sequence[str] | None = None
    ) -> AsyncPages[models.Bulk]:
        """List the bulks you created, newest first.

        GET /v1/bulk-charges
        """
        return self._pages(models.Bulk, "list_bulk_charges", locals())

    async def create(
        self,
        *,
        currency: str,
        charges: Sequence[ChargeLine],
        target: str | None = None,
        is_open: bool | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> models.Bulk:
        """Create a bulk charge: money from many wallets into one of yours.

        POST /v1/bulk-charges
        """
        return await self._call(models.Bulk, "create_bulk_charge", locals())

    async def get(self, id: str, *, wait: float | None = None) -> models.Bulk:
        """Get a bulk; with Prefer, wait until it is final, or differs from If-None-Match.

        GET /v1/bulk-charges/{id}
        """
        return await self._call(models.Bulk, "get_bulk_charge", locals())

    def list_lines(
        self, id: str, *, limit: int | None = None, cursor: str | None = None, state: str | Sequence[str] | None = None
    ) -> AsyncPages[models.Line]:
        """List the lines of a bulk in order; each is a payment.

        GET /v1/bulk-charges/{id}/lines
        """
        return self._pages(models.Line, "list_bulk_charge_lines", locals())

    async def add_lines(
        self,
        id: str,
        *,
        content: bytes,
        content_type: Literal["application/x-ndjson", "text/csv"],
        from_: int | None = None,
    ) -> models.Bulk:
        """Add lines to an open bulk, one per line of the body; they are stored a thousand at a time.

        PUT /v1/bulk-charges/{id}/lines
        """
        return await self._call(models.Bulk, "add_bulk_charge_lines", locals())

    async def close(self, id: str, *, lines: int | None = None) -> models.Bulk:
        """Close an open bulk, and check its number of lines; it becomes final with its last line.

        POST /v1/bulk-charges/{id}/close
        """
        return await self._call(models.Bulk, "close_bulk_charge", locals())

    def stream_events(self, id: str) -> AsyncIterator[models.Event]:
        """Stream the final event of a bulk charge.

        GET /v1/bulk-charges/{id}/events
        """
        return self._events("stream_bulk_charge_events", locals())


class AsyncBulkTransfers(AsyncUploads):
    """The operations on bulk transfers."""

    _one = "bulk_transfer"

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, state: str | Sequence[str] | None = None
    ) -> AsyncPages[models.Bulk]:
        """List the bulks you created, newest first.

        GET /v1/bulk-transfers
        """
        return self._pages(models.Bulk, "list_bulk_transfers", locals())

    async def create(
        self,
        *,
        organization_name: str,
        organization_iban: str,
        credit_transfers: Sequence[TransferLine],
        organization_bic: str | None = None,
        currency: str | None = None,
        mode: Literal["atomic", "best_effort"] | None = None,
        is_open: bool | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> models.Bulk:
        """Create a bulk transfer from the wallet of one of your bank accounts to many; also as XML (pain.001.001.09).

        POST /v1/bulk-transfers
        """
        return await self._call(models.Bulk, "create_bulk_transfer", locals())

    async def create_file(
        self,
        *,
        content: bytes,
        content_type: Literal["application/xml"],
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> models.Bulk:
        """Create a bulk transfer from the wallet of one of your bank accounts to many; also as XML (pain.001.001.09).

        POST /v1/bulk-transfers
        """
        return await self._call(models.Bulk, "create_bulk_transfer", locals())

    async def get(self, id: str, *, wait: float | None = None) -> models.Bulk:
        """Get a bulk; with Prefer, wait until it is final, or differs from If-None-Match.

        GET /v1/bulk-transfers/{id}
        """
        return await self._call(models.Bulk, "get_bulk_transfer", locals())

    def list_lines(
        self, id: str, *, limit: int | None = None, cursor: str | None = None, state: str | Sequence[str] | None = None
    ) -> AsyncPages[models.Line]:
        """List the lines of a bulk in order; each is a payment.

        GET /v1/bulk-transfers/{id}/lines
        """
        return self._pages(models.Line, "list_bulk_transfer_lines", locals())

    async def add_lines(
        self,
        id: str,
        *,
        content: bytes,
        content_type: Literal["application/x-ndjson", "text/csv"],
        from_: int | None = None,
    ) -> models.Bulk:
        """Add lines to an open bulk, one per line of the body; they are stored a thousand at a time.

        PUT /v1/bulk-transfers/{id}/lines
        """
        return await self._call(models.Bulk, "add_bulk_transfer_lines", locals())

    async def close(self, id: str, *, lines: int | None = None) -> models.Bulk:
        """Close an open bulk, and check its number of lines; it becomes final with its last line.

        POST /v1/bulk-transfers/{id}/close
        """
        return await self._call(models.Bulk, "close_bulk_transfer", locals())

    def stream_events(self, id: str) -> AsyncIterator[models.Event]:
        """Stream the final event of a bulk transfer.

        GET /v1/bulk-transfers/{id}/events
        """
        return self._events("stream_bulk_transfer_events", locals())


class AsyncCharges(AsyncResource):
    """The operations on charges."""

    async def create(
        self,
        *,
        amount: Amount,
        currency: str,
        wallet: str,
        metadata: Mapping[str, str] | None = None,
        scheduled_at: datetime | None = None,
        expires_at: datetime | None = None,
        target: str | None = None,
        capture: bool | None = None,
        reference: str | None = None,
        summary: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> AsyncPayment:
        """Create a charge: money from a customer's wallet into one of yours.

        POST /v1/charges
        """
        return await self._call(AsyncPayment, "create_charge", locals())

    async def capture(
        self, id: str, *, amount: Amount | None = None, idempotency_key: str | None = None, wait: float | None = None
    ) -> AsyncPayment:
        """Capture a charge, in full or in part; the rest of the hold is released.

        POST /v1/charges/{id}/capture
        """
        return await self._call(AsyncPayment, "capture_charge", locals())

    async def void(self, id: str, *, idempotency_key: str | None = None, wait: float | None = None) -> AsyncPayment:
        """Void a charge: release its hold.

        POST /v1/charges/{id}/void
        """
        return await self._call(AsyncPayment, "void_charge", locals())


class AsyncClients(AsyncResource):
    """The operations on clients."""

    async def create(
        self,
        *,
        email: str,
        password: str,
        first_name: str,
        last_name: str,
        phone_number: str,
        idempotency_key: str | None = None,
    ) -> models.User:
        """Sign up as a client; an e-mail asks to confirm the address, and wallets are opened at once.

        POST /v1/clients
        """
        return await self._call(models.User, "create_client", locals())


class AsyncClosing(AsyncResource):
    """The operations on closing."""

    async def get(self, *, month: str, timezone: str | None = None) -> models.MerchantClosing:
        """Show your month as a merchant, by day: what charges brought, commission, refunds, and what is left.

        GET /v1/closing
        """
        return await self._call(models.MerchantClosing, "get_closing", locals())

    def export(self, *, month: str, timezone: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """Show your month as a merchant, by day: what charges brought, commission, refunds, and what is left.

        GET /v1/closing
        """
        return self._rows("get_closing", locals())


class AsyncCommissions(AsyncResource):
    """The operations on commissions."""

    async def preview(
        self,
        *,
        type: Literal["transfer", "charge", "deposit", "withdrawal"],
        amount: Amount,
        currency: str,
        source: str | None = None,
        target: str | None = None,
        merchant: str | None = None,
    ) -> models.Preview:
        """Preview the commission of a payment that you, or for ops a merchant, would create now; moves no money.

        POST /v1/commissions/preview
        """
        return await self._call(models.Preview, "preview_commission", locals())


class AsyncConfirmations(AsyncResource):
    """The operations on confirmations."""

    async def create(self, *, token: str) -> None:
        """Confirm an e-mail address with the token from the e-mail; it works once, for 24 hours.

        POST /v1/confirmations
        """
        await self._do("create_confirmation", locals())

    async def resend(self, *, email: str) -> models.Mail:
        """Send the confirmation e-mail again; the answer is the same for any address.

        POST /v1/confirmations/resend
        """
        return await self._call(models.Mail, "resend_confirmation", locals())


class AsyncCurrencies(AsyncResource):
    """The operations on currencies."""

    def list(self) -> AsyncPages[models.Currency]:
        """List all currencies by code, on one page.

        GET /v1/currencies
        """
        return self._pages(models.Currency, "list_currencies", locals())

    async def create(
        self,
        *,
        code: str,
        digits: int,
        kind: Literal["crypto", "custom"],
        name: str,
        minimum: Amount | None = None,
        maximum: Amount | None = None,
        balance_maximum: Amount | None = None,
    ) -> models.Currency:
        """Add a currency; its code, digits and kind cannot change later.

        POST /v1/currencies
        """
        return await self._call(models.Currency, "create_currency", locals())

    async def get(self, code: str) -> models.Currency:
        """Get a currency.

        GET /v1/currencies/{code}
        """
        return await self._call(models.Currency, "get_currency", locals())

    async def update(
        self,
        code: str,
        *,
        name: str | None = None,
        minimum: Amount | Unset | None = UNSET,
        maximum: Amount | Unset | None = UNSET,
        balance_maximum: Amount | Unset | None = UNSET,
        is_active: bool | None = None,
        if_match: str,
    ) -> models.Currency:
        """Update the name, bounds or use of a currency; an inactive one accepts no new payments.

        PATCH /v1/currencies/{code}
        """
        return await self._call(models.Currency, "update_currency", locals())


class AsyncDeposits(AsyncResource):
    """The operations on deposits."""

    async def create(
        self,
        *,
        amount: Amount,
        currency: str,
        wallet: str,
        source: Literal["crypto", "wallet", "wire"],
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> AsyncPayment:
        """Create a deposit: money from outside into a wallet.

        POST /v1/deposits
        """
        return await self._call(AsyncPayment, "create_deposit", locals())


class AsyncEvents(AsyncFollows):
    """The operations on events."""

    def list(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        type: str | Sequence[str] | None = None,
        payment_type: str | Sequence[str] | None = None,
    ) -> AsyncPages[models.Event]:
        """List events of payments, bulks and webhook endpoints that concern you, oldest first; or follow them as they
        come.

        GET /v1/events
        """
        return self._pages(models.Event, "list_events", locals())


class AsyncExchangeRates(AsyncResource):
    """The operations on exchange rates."""

    def list(self) -> AsyncPages[models.Rate]:
        """List the current exchange rates, by currencies, on one page.

        GET /v1/exchange-rates
        """
        return self._pages(models.Rate, "list_exchange_rates", locals())

    async def set(
        self,
        *,
        source: str,
        target: str,
        rate: Amount,
        source_name: str,
        spread: Amount | None = None,
        valid_from: datetime | None = None,
    ) -> models.Rate:
        """Set an exchange rate; existing quotes keep theirs.

        PUT /v1/exchange-rates
        """
        return await self._call(models.Rate, "set_exchange_rate", locals())


class AsyncExchanges(AsyncResource):
    """The operations on exchanges."""

    async def create(
        self,
        *,
        source: str,
        target: str,
        quote: str,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> AsyncPayment:
        """Create an exchange between two of your wallets, on the terms of a quote.

        POST /v1/exchanges
        """
        return await self._call(AsyncPayment, "create_exchange", locals())


class AsyncHealth(AsyncResource):
    """The operations on health."""

    async def get_live(self) -> models.Health:
        """Check that this process answers.

        GET /health/live
        """
        return await self._call(models.Health, "get_health_live", locals())

    async def get_ready(self) -> models.Health:
        """Check that this process can accept payments: clock and database are right; 503 if not.

        GET /health/ready
        """
        return await self._call(models.Health, "get_health_ready", locals())


class AsyncInvitations(AsyncResource):
    """The operations on invitations."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[models.Invitation]:
        """List invitations, newest first.

        GET /v1/invitations
        """
        return self._pages(models.Invitation, "list_invitations", locals())

    async def create(self, *, email: str, role: Literal["owner", "operator", "viewer"]) -> models.Invitation:
        """Invite someone by e-mail, for seven days; an open invitation of the same address ends, and its token with
        it.

        POST /v1/invitations
        """
        return await self._call(models.Invitation, "create_invitation", locals())

    async def delete(self, id: str) -> None:
        """Withdraw an open invitation: its token is invalid at once.

        DELETE /v1/invitations/{id}
        """
        await self._do("delete_invitation", locals())

    async def accept(
        self, *, token: str, password: str | None = None, first_name: str | None = None, last_name: str | None = None
    ) -> models.AcceptedInvitation:
        """Accept an invitation with the token of its mail, once: you act for the merchant from your next sign-in.

        POST /v1/invitations/accept
        """
        return await self._call(models.AcceptedInvitation, "accept_invitation", locals())


class AsyncMe(AsyncResource):
    """The operations on me."""

    async def get(self) -> models.User:
        """Show your own user.

        GET /v1/me
        """
        return await self._call(models.User, "get_me", locals())

    async def update(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        phone_number: str | None = None,
        name: str | None = None,
        url: str | None = None,
        current_password: str | None = None,
        password: str | None = None,
    ) -> models.User:
        """Change your own user; a new password needs the current one, and ends your other sessions.

        PATCH /v1/me
        """
        return await self._call(models.User, "update_me", locals())


class AsyncMembers(AsyncResource):
    """The operations on members."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[models.Member]:
        """List who acts for the merchant; the newest users first.

        GET /v1/members
        """
        return self._pages(models.Member, "list_members", locals())

    async def update(self, id: str, *, role: Literal["owner", "operator", "viewer"]) -> models.Member:
        """Give a member another role; at once their sessions and keys may do what it allows, and no more.

        PATCH /v1/members/{id}
        """
        return await self._call(models.Member, "update_member", locals())

    async def delete(self, id: str) -> None:
        """Remove a member, or yourself: their sessions and keys for the merchant end at once. One owner must remain.

        DELETE /v1/members/{id}
        """
        await self._do("delete_member", locals())


class AsyncMemberships(AsyncResource):
    """The operations on memberships."""

    def list(self) -> AsyncPages[models.Membership]:
        """List the merchants whom you may act for, the first of your memberships first; sign in with one as
        `merchant`.

        GET /v1/memberships
        """
        return self._pages(models.Membership, "list_memberships", locals())


class AsyncMerchant(AsyncResource):
    """The operations on merchant."""

    async def get(self) -> models.Merchant:
        """Show the merchant; its ETag covers the members that PATCH changes.

        GET /v1/merchant
        """
        return await self._call(models.Merchant, "get_merchant", locals())

    async def update(self, *, name: str | None = None, url: str | None = None, if_match: str) -> models.Merchant:
        """Change the name or web address that customers see; any owner may, as long as they act for the merchant.

        PATCH /v1/merchant
        """
        return await self._call(models.Merchant, "update_merchant", locals())


class AsyncMerchants(AsyncResource):
    """The operations on merchants."""

    async def create(
        self,
        *,
        email: str,
        password: str,
        first_name: str,
        last_name: str,
        phone_number: str,
        name: str,
        url: str,
        idempotency_key: str | None = None,
    ) -> models.User:
        """Sign up as a merchant; an e-mail asks to confirm the address.

        POST /v1/merchants
        """
        return await self._call(models.User, "create_merchant", locals())


class AsyncOpsAccounts(AsyncResource):
    """The operations on ops accounts."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        id: str | None = None,
        owner: str | None = None,
        code: str | Sequence[str] | None = None,
        at: datetime | None = None,
        currency: str | None = None,
        is_active: str | Sequence[str] | None = None,
        has_moved: Literal["true"] | None = None,
    ) -> AsyncPages[models.Account]:
        """List the wallets of all users, newest first; inactive ones only with is_active. With `code`, technical
        accounts.

        GET /v1/ops/accounts
        """
        return self._pages(models.Account, "list_ops_accounts", locals())

    def list_operations(
        self, id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.AccountOperation]:
        """List the operations of an account, technical ones too, newest first.

        GET /v1/ops/accounts/{id}/operations
        """
        return self._pages(models.AccountOperation, "list_ops_account_operations", locals())


class AsyncOpsAdjustments(AsyncResource):
    """The operations on ops adjustments."""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, state: str | Sequence[str] | None = None
    ) -> AsyncPages[models.Adjustment]:
        """List adjustments, newest first.

        GET /v1/ops/adjustments
        """
        return self._pages(models.Adjustment, "list_ops_adjustments", locals())

    async def create(
        self,
        *,
        direction: Literal["credit", "debit"],
        amount: Amount,
        currency: str,
        reason: str,
        account: str | None = None,
        wallet: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Adjustment:
        """Propose to credit or debit a wallet; no money moves until another ops user approves it.

        POST /v1/ops/adjustments
        """
        return await self._call(models.Adjustment, "create_ops_adjustment", locals())

    async def approve(self, id: str, *, reason: str | None = None, wait: float | None = None) -> models.Adjustment:
        """Approve another ops user's adjustment; its payment is created in your name. With Prefer: 201 once it is
        final.

        POST /v1/ops/adjustments/{id}/approve
        """
        return await self._call(models.Adjustment, "approve_ops_adjustment", locals())

    async def reject(self, id: str, *, reason: str) -> models.Adjustment:
        """Reject another ops user's adjustment, or withdraw your own; no money moves.

        POST /v1/ops/adjustments/{id}/reject
        """
        return await self._call(models.Adjustment, "reject_ops_adjustment", locals())


class AsyncOpsAssignments(AsyncResource):
    """The operations on ops assignments."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        user: str | None = None,
        in_force: Literal["true", "false"] | None = None,
    ) -> AsyncPages[models.Assignment]:
        """List who took what and gave it back, newest first; what is done meanwhile need not be given back.

        GET /v1/ops/assignments
        """
        return self._pages(models.Assignment, "list_ops_assignments", locals())

    async def create(
        self,
        *,
        kind: Literal[
            "parked",
            "undecided",
            "adjustments_proposed",
            "resolutions_proposed",
            "reconciliation_exceptions",
            "endpoints_disabled",
            "breaches",
        ],
        subject: str,
        reason: str | None = None,
    ) -> models.Assignment:
        """Take an open item: others see that you are at it. It changes nothing about the item itself.

        POST /v1/ops/assignments
        """
        return await self._call(models.Assignment, "create_ops_assignment", locals())

    async def give_back(self, id: str, *, reason: str | None = None) -> models.Assignment:
        """Give an item back, yours or that of another ops user; what was given back already is answered as it is.

        POST /v1/ops/assignments/{id}/give-back
        """
        return await self._call(models.Assignment, "give_ops_assignment_back", locals())


class AsyncOpsAudit(AsyncResource):
    """The operations on ops audit."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        target: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        request_id: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
    ) -> AsyncPages[models.AuditLine]:
        """List the audit log, newest first; as a file, up to 100,000 entries, which `created_before` continues.

        GET /v1/ops/audit
        """
        return self._pages(models.AuditLine, "list_ops_audit", locals())


class AsyncOpsBalances(AsyncResource):
    """The operations on ops balances."""

    def list(self, *, account: str | Sequence[str], days: int | None = None) -> AsyncPages[models.BalanceCurve]:
        """Show the balances of accounts over the last days, at 61 times that are equally far from each other; each is
        that after all payments posted by then. Accounts that do not exist are left out.

        GET /v1/ops/balances
        """
        return self._pages(models.BalanceCurve, "list_ops_balances", locals())


class AsyncOpsBatches(AsyncResource):
    """The operations on ops batches."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[models.Batch]:
        """List batches of retries, newest first.

        GET /v1/ops/batches
        """
        return self._pages(models.Batch, "list_ops_batches", locals())

    async def get(self, id: str) -> models.BatchDetail:
        """Get a batch, with the number of its payments by outcome.

        GET /v1/ops/batches/{id}
        """
        return await self._call(models.BatchDetail, "get_ops_batch", locals())

    def list_payments(
        self,
        id: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        outcome: str | Sequence[str] | None = None,
    ) -> AsyncPages[models.BatchItem]:
        """List the payments of a batch and what became of each, the oldest first.

        GET /v1/ops/batches/{id}/payments
        """
        return self._pages(models.BatchItem, "list_ops_batch_payments", locals())

    async def stop(self, id: str, *, reason: str) -> models.BatchDetail:
        """Stop a batch: the payments that are not due yet are skipped.

        POST /v1/ops/batches/{id}/stop
        """
        return await self._call(models.BatchDetail, "stop_ops_batch", locals())

    async def retry(self, id: str, *, reason: str) -> models.BatchDetail:
        """Make another batch of the payments of this one that are parked: again, or still because it was stopped.

        POST /v1/ops/batches/{id}/retry
        """
        return await self._call(models.BatchDetail, "retry_ops_batch", locals())


class AsyncOpsBreaches(AsyncResource):
    """The operations on ops breaches."""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, open: Literal["true"] | None = None
    ) -> AsyncPages[models.Breach]:
        """List breaches, newest first; open ones are neither healed nor acknowledged.

        GET /v1/ops/breaches
        """
        return self._pages(models.Breach, "list_ops_breaches", locals())

    async def acknowledge(self, id: str, *, reason: str) -> models.Breach:
        """Acknowledge a breach: it is known, and /status does not report it any more; the first reason stays.

        POST /v1/ops/breaches/{id}/acknowledge
        """
        return await self._call(models.Breach, "acknowledge_ops_breach", locals())


class AsyncOpsClosing(AsyncResource):
    """The operations on ops closing."""

    async def get(self, *, month: str, timezone: str | None = None) -> models.Closing:
        """Close a month: trial balance, payments that became final, commission, what was open, returns, adjustments.

        GET /v1/ops/closing
        """
        return await self._call(models.Closing, "get_ops_closing", locals())

    def export(self, *, month: str, timezone: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """Close a month: trial balance, payments that became final, commission, what was open, returns, adjustments.

        GET /v1/ops/closing
        """
        return self._rows("get_ops_closing", locals())


class AsyncOpsCommissionTerms(AsyncResource):
    """The operations on ops commission terms."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        type: Literal["transfer", "charge", "deposit", "withdrawal"] | None = None,
        currency: str | None = None,
        merchant: str | None = None,
    ) -> AsyncPages[models.KeptTerms]:
        """List the terms of commission, newest first: current, past and future ones.

        GET /v1/ops/commission-terms
        """
        return self._pages(models.KeptTerms, "list_ops_commission_terms", locals())

    async def create(
        self,
        *,
        type: Literal["transfer", "charge", "deposit", "withdrawal"],
        percent: Amount,
        reason: str,
        currency: str | None = None,
        merchant: str | None = None,
        fixed: Amount | None = None,
        minimum: Amount | None = None,
        maximum: Amount | None = None,
        valid_from: datetime | None = None,
    ) -> models.KeptTerms:
        """Add terms for payments accepted from `valid_from` on; earliest, and by default, a minute from now.

        POST /v1/ops/commission-terms
        """
        return await self._call(models.KeptTerms, "create_ops_commission_terms", locals())


class AsyncOpsCommissions(AsyncResource):
    """The operations on ops commissions."""

    async def list(self, *, from_: date, to: date, currency: str | None = None) -> models.Takings:
        """Report the commission taken and given back, by day (UTC) and currency.

        GET /v1/ops/commissions
        """
        return await self._call(models.Takings, "list_ops_commissions", locals())


class AsyncOpsFreezes(AsyncResource):
    """The operations on ops freezes."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        account: str | None = None,
        user: str | None = None,
        in_force: Literal["true", "false"] | None = None,
    ) -> AsyncPages[models.Freeze]:
        """List freezes and how they were thawed, newest first; those of a wallet do not include those of its owner.

        GET /v1/ops/freezes
        """
        return self._pages(models.Freeze, "list_ops_freezes", locals())

    async def create(
        self, *, reason: str, account: str | None = None, wallet: str | None = None, user: str | None = None
    ) -> models.Freeze:
        """Freeze a wallet, or a user with all wallets, also those opened later: payments from and to them FAIL.

        POST /v1/ops/freezes
        """
        return await self._call(models.Freeze, "create_ops_freeze", locals())

    async def thaw(self, id: str, *, reason: str) -> models.Freeze:
        """Thaw what was frozen; a wallet stays frozen while its owner is. A freeze that has ended is answered as it
        is.

        POST /v1/ops/freezes/{id}/thaw
        """
        return await self._call(models.Freeze, "thaw_ops_freeze", locals())


class AsyncOpsInvitations(AsyncResource):
    """The operations on ops invitations."""

    async def withdraw(self, id: str, *, reason: str) -> models.OwnerInvitation:
        """Withdraw an open invitation that ops made: its token is invalid at once.

        POST /v1/ops/invitations/{id}/withdraw
        """
        return await self._call(models.OwnerInvitation, "withdraw_ops_invitation", locals())


class AsyncOpsOpenItems(AsyncResource):
    """The operations on ops open items."""

    def list(self, *, kind: str | Sequence[str] | None = None) -> AsyncPages[models.OpenItem]:
        """List what no machine goes on with, the oldest 100 first, with who took each.

        GET /v1/ops/open-items
        """
        return self._pages(models.OpenItem, "list_ops_open_items", locals())


class AsyncOpsOverview(AsyncResource):
    """The operations on ops overview."""

    async def get(self, *, span: Literal["hour", "day"] | None = None) -> models.Overview:
        """Show how many payments were accepted and what became of them, how long they took, and what waits for whom.

        GET /v1/ops/overview
        """
        return await self._call(models.Overview, "get_ops_overview", locals())


class AsyncOpsPauses(AsyncResource):
    """The operations on ops pauses."""

    def list(
        self, *, limit: int | None = None, cursor: str | None = None, in_force: Literal["true", "false"] | None = None
    ) -> AsyncPages[models.Pause]:
        """List pauses, newest first.

        GET /v1/ops/pauses
        """
        return self._pages(models.Pause, "list_ops_pauses", locals())

    async def create(
        self,
        *,
        reason: str,
        type: Literal[
            "deposit", "withdrawal", "transfer", "charge", "exchange", "refund", "adjustment", "return", "bonus"
        ]
        | None = None,
        merchant: str | None = None,
        currency: str | None = None,
        rail: str | None = None,
        until: datetime | None = None,
    ) -> models.Pause:
        """Pause posting of a type of payment, of what a merchant orders, or of a currency; or sending over a rail.

        POST /v1/ops/pauses
        """
        return await self._call(models.Pause, "create_ops_pause", locals())

    async def resume(self, id: str, *, reason: str) -> models.Pause:
        """Resume what was paused: payments are posted in the order they had. A pause that is over is answered as it
        is.

        POST /v1/ops/pauses/{id}/resume
        """
        return await self._call(models.Pause, "resume_ops_pause", locals())


class AsyncOpsPayments(AsyncResource):
    """The operations on ops payments."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        type: str | Sequence[str] | None = None,
        state: str | Sequence[str] | None = None,
        currency: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        error_prefix: str | None = None,
        error_contains: str | None = None,
        user: str | None = None,
        merchant: str | None = None,
        account: str | None = None,
        wallet: str | None = None,
        bulk: str | None = None,
        batch: str | None = None,
        failure: str | Sequence[str] | None = None,
        stuck: int | None = None,
        parked: Literal["true"] | None = None,
        undecided: Literal["true"] | None = None,
        attempts_min: int | None = None,
        attempts_max: int | None = None,
        ids: str | Sequence[str] | None = None,
    ) -> AsyncPages[models.ListedPayment]:
        """List payments, newest first; or those stuck for some seconds, parked, or sent to the bank without a result
        yet.

        GET /v1/ops/payments
        """
        return self._pages(models.ListedPayment, "list_ops_payments", locals())

    async def get_count(
        self,
        *,
        type: str | Sequence[str] | None = None,
        state: str | Sequence[str] | None = None,
        currency: str | None = None,
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        error_prefix: str | None = None,
        error_contains: str | None = None,
        user: str | None = None,
        merchant: str | None = None,
        account: str | None = None,
        wallet: str | None = None,
        bulk: str | None = None,
        batch: str | None = None,
        failure: str | Sequence[str] | None = None,
        stuck: int | None = None,
        parked: Literal["true"] | None = None,
        undecided: Literal["true"] | None = None,
        attempts_min: int | None = None,
        attempts_max: int | None = None,
        ids: str | Sequence[str] | None = None,
    ) -> models.PaymentCount:
        """Count the payments of a filter of the list, up to 10,000.

        GET /v1/ops/payments/count
        """
        return await self._call(models.PaymentCount, "get_ops_payment_count", locals())

    async def retry(self, id: str, *, reason: str, wait: float | None = None) -> AsyncPayment:
        """Retry a payment now, with a full set of attempts.

        POST /v1/ops/payments/{id}/retry
        """
        return await self._call(AsyncPayment, "retry_ops_payment", locals())

    async def retry_all(
        self,
        *,
        filter: RetryFilter | None = None,
        dry_run: bool | None = None,
        selection: str | None = None,
        reason: str | None = None,
    ) -> models.Selection | models.BatchDetail:
        """Select payments by a filter, or retry those of a selection: exactly the payments that it showed you.

        POST /v1/ops/payments/retry
        """
        return await self._either(models.Selection, models.BatchDetail, "retry_ops_payments", locals())

    async def get(self, id: str) -> models.PaymentReview:
        """Get a payment with the actions that are possible now, and what ops users and its bank did about it.

        GET /v1/ops/payments/{id}
        """
        return await self._call(models.PaymentReview, "get_ops_payment", locals())

    async def cancel(self, id: str, *, reason: str, wait: float | None = None) -> AsyncPayment:
        """Cancel a payment that is still INITIATED, parked or not; it fails as `canceled_by_ops`.

        POST /v1/ops/payments/{id}/cancel
        """
        return await self._call(AsyncPayment, "cancel_ops_payment", locals())

    async def fail(self, id: str, *, reason: str, wait: float | None = None) -> AsyncPayment:
        """Give up a payment of which no bank knows; it fails as `system_failure`, and what it holds is released.

        POST /v1/ops/payments/{id}/fail
        """
        return await self._call(AsyncPayment, "fail_ops_payment", locals())

    async def capture(
        self, id: str, *, reason: str, amount: Amount | None = None, wait: float | None = None
    ) -> AsyncPayment:
        """Capture a charge for its merchant, in full or in part; the rest of the hold is released.

        POST /v1/ops/payments/{id}/capture
        """
        return await self._call(AsyncPayment, "capture_ops_payment", locals())

    async def void(self, id: str, *, reason: str, wait: float | None = None) -> AsyncPayment:
        """Void a charge for its merchant: release its hold; it fails as `canceled_by_ops`.

        POST /v1/ops/payments/{id}/void
        """
        return await self._call(AsyncPayment, "void_ops_payment", locals())

    async def ask(self, id: str, *, reason: str, wait: float | None = None) -> models.PaymentReview:
        """Ask the bank about a payout now; its answer is shown beside what is known, and a final one ends the payment.

        POST /v1/ops/payments/{id}/ask
        """
        return await self._call(models.PaymentReview, "ask_ops_payment", locals())

    async def resolve(
        self,
        id: str,
        *,
        reason: str,
        outcome: Literal["paid", "not_paid"],
        bank_reference: str | None = None,
        value_date: date | None = None,
    ) -> models.Resolution:
        """Propose what the bank did with a parked payout; nothing moves until another ops user approves it.

        POST /v1/ops/payments/{id}/resolve
        """
        return await self._call(models.Resolution, "resolve_ops_payment", locals())

    async def get_explanation(self, id: str) -> models.Explanation:
        """Explain why a payment waits: causes and what would help, its errors, locks and steps, and who is alive.

        GET /v1/ops/payments/{id}/explanation
        """
        return await self._call(models.Explanation, "get_ops_payment_explanation", locals())

    async def get_related(self, id: str) -> models.Related:
        """Get what belongs to a payment: refunds and returns, bulk, quote, batches, lines of statements, webhooks.

        GET /v1/ops/payments/{id}/related
        """
        return await self._call(models.Related, "get_ops_payment_related", locals())

    async def create_note(self, id: str, *, text: str) -> models.Note:
        """Write a note about a payment: it changes nothing, is kept in the audit log, and shown with the payment to
        ops.

        POST /v1/ops/payments/{id}/notes
        """
        return await self._call(models.Note, "create_ops_payment_note", locals())


class AsyncOpsRails(AsyncResource):
    """The operations on ops rails."""

    def list(self) -> AsyncPages[models.Rail]:
        """List the connections to banks, with their payouts that have no final answer, counted up to 10,000.

        GET /v1/ops/rails
        """
        return self._pages(models.Rail, "list_ops_rails", locals())

    def list_files(
        self,
        rail: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: str | Sequence[str] | None = None,
    ) -> AsyncPages[models.RailFile]:
        """List the files that a rail wrote for its bank and read of what it sent, newest first.

        GET /v1/ops/rails/{rail}/files
        """
        return self._pages(models.RailFile, "list_ops_rail_files", locals())

    async def get_file_content(self, rail: str, id: str) -> bytes:
        """Download a file as it was written or read: XML, or of a broken one its bytes. Who does is in the audit log.

        GET /v1/ops/rails/{rail}/files/{id}/content
        """
        return await self._bytes("get_ops_rail_file_content", locals())


class AsyncOpsReconciliations(AsyncResource):
    """The operations on ops reconciliations."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[models.Reconciliation]:
        """List bank statements, newest first, each with its number of lines per verdict and the age of its exceptions.

        GET /v1/ops/reconciliations
        """
        return self._pages(models.Reconciliation, "list_ops_reconciliations", locals())

    async def create(
        self, *, content: bytes, content_type: Literal["text/csv", "application/xml"]
    ) -> models.Reconciliation:
        """Compare a bank statement, CSV or camt.053, with payments; the same file again returns the earlier result.

        POST /v1/ops/reconciliations
        """
        return await self._call(models.Reconciliation, "create_ops_reconciliation", locals())

    async def get(self, id: str) -> models.Reconciliation:
        """Show a bank statement, and its number of lines per verdict.

        GET /v1/ops/reconciliations/{id}
        """
        return await self._call(models.Reconciliation, "get_ops_reconciliation", locals())

    def list_lines(
        self,
        id: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        verdict: str | Sequence[str] | None = None,
        age: str | Sequence[str] | None = None,
    ) -> AsyncPages[models.StatementLine]:
        """List the lines of a bank statement in their order, and then the payments that are missing in it.

        GET /v1/ops/reconciliations/{id}/lines
        """
        return self._pages(models.StatementLine, "list_ops_reconciliation_lines", locals())

    async def match_line(self, id: str, line: int, *, payment: str, reason: str) -> models.StatementLine:
        """Match a line to a payment manually, or accept that a payment is missing in the statement.

        POST /v1/ops/reconciliations/{id}/lines/{line}/match
        """
        return await self._call(models.StatementLine, "match_ops_reconciliation_line", locals())

    async def match_lines(
        self,
        id: str,
        *,
        content: bytes,
        content_type: Literal["text/csv", "application/x-ndjson"],
        dry_run: Literal["true", "false"] | None = None,
    ) -> models.LineMatches:
        """Match many lines to payments by one file, CSV or JSON Lines with `line`, `payment` and `reason`.

        POST /v1/ops/reconciliations/{id}/lines/match
        """
        return await self._call(models.LineMatches, "match_ops_reconciliation_lines", locals())

    async def dismiss_line(
        self,
        id: str,
        line: int,
        *,
        category: Literal["fee", "interest", "tax", "own_transfer", "bank_correction", "other"],
        reason: str,
    ) -> models.StatementLine:
        """Put aside what the bank booked and no payment is, such as a fee, with its category and a reason.

        POST /v1/ops/reconciliations/{id}/lines/{line}/dismiss
        """
        return await self._call(models.StatementLine, "dismiss_ops_reconciliation_line", locals())


class AsyncOpsResolutions(AsyncResource):
    """The operations on ops resolutions."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: str | Sequence[str] | None = None,
        payment: str | None = None,
    ) -> AsyncPages[models.Resolution]:
        """List resolutions, newest first.

        GET /v1/ops/resolutions
        """
        return self._pages(models.Resolution, "list_ops_resolutions", locals())

    async def approve(self, id: str, *, reason: str | None = None) -> models.Resolution:
        """Approve another ops user's resolution; a worker judges it again, and refuses it if its payment has moved on.

        POST /v1/ops/resolutions/{id}/approve
        """
        return await self._call(models.Resolution, "approve_ops_resolution", locals())

    async def reject(self, id: str, *, reason: str) -> models.Resolution:
        """Reject another ops user's resolution, or withdraw your own; nothing moves.

        POST /v1/ops/resolutions/{id}/reject
        """
        return await self._call(models.Resolution, "reject_ops_resolution", locals())


class AsyncOpsSavedViews(AsyncResource):
    """The operations on ops saved views."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        list: Literal["payments", "users", "accounts", "audit", "webhooks", "bulks", "adjustments"] | None = None,
    ) -> AsyncPages[models.SavedView]:
        """List your saved views and those that others share, newest first.

        GET /v1/ops/saved-views
        """
        return self._pages(models.SavedView, "list_ops_saved_views", locals())

    async def create(
        self,
        *,
        list: Literal["payments", "users", "accounts", "audit", "webhooks", "bulks", "adjustments"],
        name: str,
        query: str,
        is_shared: bool | None = None,
    ) -> models.SavedView:
        """Save a list with its filters under a name, for yourself or for all of ops; at most 50 of each person.

        POST /v1/ops/saved-views
        """
        return await self._call(models.SavedView, "create_ops_saved_view", locals())

    async def update(
        self, id: str, *, name: str | None = None, query: str | None = None, is_shared: bool | None = None
    ) -> models.SavedView:
        """Rename a view of yours, change its query, share it, or keep it to yourself.

        PATCH /v1/ops/saved-views/{id}
        """
        return await self._call(models.SavedView, "update_ops_saved_view", locals())

    async def delete(self, id: str) -> None:
        """Delete a view of yours.

        DELETE /v1/ops/saved-views/{id}
        """
        await self._do("delete_ops_saved_view", locals())


class AsyncOpsSearch(AsyncResource):
    """The operations on ops search."""

    def find(self, *, q: str) -> AsyncPages[models.SearchHit]:
        """Find what has exactly this text: payments, wallets, users, bulks, batches, statements, audit entries.

        GET /v1/ops/search
        """
        return self._pages(models.SearchHit, "search_ops", locals())


class AsyncOpsUsers(AsyncResource):
    """The operations on ops users."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        email: str | None = None,
        role: Literal["client", "merchant", "ops", "auditor", "member"] | None = None,
        is_active: str | Sequence[str] | None = None,
    ) -> AsyncPages[models.User]:
        """List users, newest first; deactivated ones only with is_active.

        GET /v1/ops/users
        """
        return self._pages(models.User, "list_ops_users", locals())

    async def get(self, id: str) -> models.UserDetail:
        """Show a user with wallets, sessions, API keys, the newest payments, and what was done by and to them.

        GET /v1/ops/users/{id}
        """
        return await self._call(models.UserDetail, "get_ops_user", locals())

    async def update(self, id: str, *, is_active: bool, reason: str) -> models.User:
        """Deactivate a user, whose tokens and wallets then stop working, or activate a user again.

        PATCH /v1/ops/users/{id}
        """
        return await self._call(models.User, "update_ops_user", locals())

    async def reset_second_factor(self, id: str, *, reason: str) -> models.User:
        """Remove another user's second factor and end their sessions, so that they set up a new one.

        POST /v1/ops/users/{id}/reset-second-factor
        """
        return await self._call(models.User, "reset_ops_user_second_factor", locals())

    async def end_sessions(self, id: str, *, reason: str, session: str | None = None) -> models.EndedTokens:
        """Sign a user out everywhere, or end one session; API keys stay valid.

        POST /v1/ops/users/{id}/end-sessions
        """
        return await self._call(models.EndedTokens, "end_ops_user_sessions", locals())

    async def end_api_keys(self, id: str, *, reason: str, api_key: str | None = None) -> models.EndedTokens:
        """End all API keys of a user, or one; the user can make others: deactivate who must not.

        POST /v1/ops/users/{id}/end-api-keys
        """
        return await self._call(models.EndedTokens, "end_ops_user_api_keys", locals())

    async def create_invitation(self, id: str, *, email: str, reason: str) -> models.OwnerInvitation:
        """Invite an owner of a merchant by e-mail, for seven days; refused while an owner may sign in.

        POST /v1/ops/users/{id}/invitations
        """
        return await self._call(models.OwnerInvitation, "create_ops_user_invitation", locals())


class AsyncOpsWebhookDeliveries(AsyncResource):
    """The operations on ops webhook deliveries."""

    async def redeliver(self, id: str, *, reason: str) -> models.Delivery:
        """Send a delivery to a user's endpoint again, with the same webhook-id; one that is due stays as it is.

        POST /v1/ops/webhook-deliveries/{id}/redeliver
        """
        return await self._call(models.Delivery, "redeliver_ops_webhook_delivery", locals())


class AsyncOpsWebhookEndpoints(AsyncResource):
    """The operations on ops webhook endpoints."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: str | Sequence[str] | None = None,
        user: str | None = None,
    ) -> AsyncPages[models.OpsEndpoint]:
        """List the webhook endpoints of all users, newest first; by their state, such as failing now.

        GET /v1/ops/webhook-endpoints
        """
        return self._pages(models.OpsEndpoint, "list_ops_webhook_endpoints", locals())

    async def get(self, id: str) -> models.OpsEndpoint:
        """Get a webhook endpoint of any user, with its owner, and its deliveries that did not arrive.

        GET /v1/ops/webhook-endpoints/{id}
        """
        return await self._call(models.OpsEndpoint, "get_ops_webhook_endpoint", locals())

    async def redeliver(
        self,
        id: str,
        *,
        from_: datetime,
        to: datetime,
        reason: str,
        states: Sequence[Literal["pending", "delivered", "failed"]] | None = None,
    ) -> models.Redelivered:
        """Send the events of a time range to a user's endpoint again, oldest first, at most 10,000 per call.

        POST /v1/ops/webhook-endpoints/{id}/redeliver
        """
        return await self._call(models.Redelivered, "redeliver_ops_webhook_endpoint", locals())


class AsyncOpsWorkers(AsyncResource):
    """The operations on ops workers."""

    async def get(self) -> models.Workers:
        """Show which workers were seen within the hour, who posts now, the queues, and the newest posted batches.

        GET /v1/ops/workers
        """
        return await self._call(models.Workers, "get_ops_workers", locals())


class AsyncPasswordResets(AsyncResource):
    """The operations on password resets."""

    async def create(self, *, email: str) -> models.Mail:
        """Send an e-mail with which a new password can be set; the answer is the same for any address.

        POST /v1/password-resets
        """
        return await self._call(models.Mail, "create_password_reset", locals())

    async def confirm(self, *, token: str, password: str) -> None:
        """Set a new password with the token from the e-mail; ends all sessions, and confirms the address.

        POST /v1/password-resets/confirm
        """
        await self._do("confirm_password_reset", locals())


class AsyncPayments(AsyncResource):
    """The operations on payments."""

    async def cancel(self, id: str, *, idempotency_key: str | None = None, wait: float | None = None) -> AsyncPayment:
        """Cancel a payment that is still INITIATED, such as a scheduled one.

        POST /v1/payments/{id}/cancel
        """
        return await self._call(AsyncPayment, "cancel_payment", locals())

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        id: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        state: str | Sequence[str] | None = None,
        source: str | Sequence[str] | SideFilter | None = None,
        target: str | Sequence[str] | SideFilter | None = None,
        amount: Amount | Sequence[Amount] | AmountBounds | None = None,
        currency: str | Sequence[str] | None = None,
        commission: str | Sequence[str] | AmountBounds | None = None,
        target_amount: str | Sequence[str] | AmountBounds | None = None,
        target_currency: str | Sequence[str] | None = None,
        rate: str | Sequence[str] | AmountBounds | None = None,
        summary: str | None = None,
        reference: str | None = None,
        reason: str | Sequence[str] | None = None,
        failure: str | Sequence[str] | None = None,
        attempts: str | Sequence[str] | NumberBounds | None = None,
        next_attempt_at: datetime | Sequence[datetime] | TimeBounds | None = None,
        captured_amount: str | Sequence[str] | AmountBounds | None = None,
        refunded_amount: str | Sequence[str] | AmountBounds | None = None,
        merchant: str | Sequence[str] | None = None,
        balance_after: str | Sequence[str] | AmountBounds | None = None,
        parent: str | Sequence[str] | None = None,
        bulk: str | Sequence[str] | None = None,
        scheduled_at: datetime | Sequence[datetime] | TimeBounds | None = None,
        expires_at: datetime | Sequence[datetime] | TimeBounds | None = None,
        created_at: datetime | Sequence[datetime] | TimeBounds | None = None,
        finalized_at: datetime | Sequence[datetime] | TimeBounds | None = None,
        wallet: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        sort: Literal[
            "id",
            "type",
            "state",
            "source",
            "source[name]",
            "source[last4]",
            "target",
            "target[name]",
            "target[last4]",
            "amount",
            "currency",
            "commission",
            "target_amount",
            "target_currency",
            "rate",
            "summary",
            "reference",
            "reason",
            "failure",
            "attempts",
            "next_attempt_at",
            "captured_amount",
            "refunded_amount",
            "merchant",
            "balance_after",
            "parent",
            "bulk",
            "scheduled_at",
            "expires_at",
            "created_at",
            "finalized_at",
            "-id",
            "-type",
            "-state",
            "-source",
            "-source[name]",
            "-source[last4]",
            "-target",
            "-target[name]",
            "-target[last4]",
            "-amount",
            "-currency",
            "-commission",
            "-target_amount",
            "-target_currency",
            "-rate",
            "-summary",
            "-reference",
            "-reason",
            "-failure",
            "-attempts",
            "-next_attempt_at",
            "-captured_amount",
            "-refunded_amount",
            "-merchant",
            "-balance_after",
            "-parent",
            "-bulk",
            "-scheduled_at",
            "-expires_at",
            "-created_at",
            "-finalized_at",
        ]
        | None = None,
    ) -> AsyncPages[AsyncPayment]:
        """List the payments you created and those of your wallets, newest first; filter and sort by what you can see.

        GET /v1/payments
        """
        return self._pages(AsyncPayment, "list_payments", locals())

    async def get(self, id: str, *, wait: float | None = None) -> AsyncPayment:
        """Get a payment; with Prefer, wait until it is final or AUTHORIZED, or differs from If-None-Match.

        GET /v1/payments/{id}
        """
        return await self._call(AsyncPayment, "get_payment", locals())

    def list_operations(self, id: str) -> AsyncPages[models.Operation]:
        """List the double entry of a payment; empty unless it is COMPLETED.

        GET /v1/payments/{id}/operations
        """
        return self._pages(models.Operation, "list_payment_operations", locals())

    async def get_request(self, id: str) -> models.AcceptingRequest:
        """Get the idempotency key and the Request-Id of the request that ordered a payment, and the quote that it
        used.

        GET /v1/payments/{id}/request
        """
        return await self._call(models.AcceptingRequest, "get_payment_request", locals())

    def get_timeline(self, id: str) -> AsyncPages[models.Step]:
        """List the steps of a payment, oldest first, with at most the newest 200 attempts, commands and refunds each.

        GET /v1/payments/{id}/timeline
        """
        return self._pages(models.Step, "get_payment_timeline", locals())

    async def get_receipt(self, id: str) -> models.Receipt:
        """Get the receipt of a COMPLETED payment: its operations, and the proof that a signed checkpoint covers them.

        GET /v1/payments/{id}/receipt
        """
        return await self._call(models.Receipt, "get_payment_receipt", locals())

    def stream_events(self, id: str) -> AsyncIterator[models.Event]:
        """Stream the events of a payment, past ones first, until the final one.

        GET /v1/payments/{id}/events
        """
        return self._events("stream_payment_events", locals())

    def open_socket(self, id: str) -> SocketAddress:
        """Open a WebSocket with a payment and then its events; browsers send the token as second subprotocol.

        GET /v1/payments/{id}/socket
        """
        return self._socket("open_payment_socket", locals())


class AsyncQuotes(AsyncResource):
    """The operations on quotes."""

    async def create(
        self,
        *,
        source_currency: str,
        target_currency: str,
        amount: Amount,
        side: Literal["source", "target"] | None = None,
    ) -> models.Quote:
        """Create a quote: a fixed rate for one exchange or one transfer, with commission apart from the rate.

        POST /v1/quotes
        """
        return await self._call(models.Quote, "create_quote", locals())

    async def get(self, id: str) -> models.Quote:
        """Get a quote: its rate and offers, whether it may still be used, and the payment that used it.

        GET /v1/quotes/{id}
        """
        return await self._call(models.Quote, "get_quote", locals())


class AsyncReceiptKeys(AsyncResource):
    """The operations on receipt keys."""

    def list(self) -> AsyncPages[models.ReceiptKey]:
        """List the public keys (Ed25519) that receipts are verified against, newest first.

        GET /v1/receipt-keys
        """
        return self._pages(models.ReceiptKey, "list_receipt_keys", locals())


class AsyncRefunds(AsyncResource):
    """The operations on refunds."""

    async def create(
        self,
        *,
        charge: str,
        reason: Literal["duplicate", "fraudulent", "requested_by_customer"],
        amount: Amount | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> AsyncPayment:
        """Refund a charge, in full or in part; its refunds never exceed the captured amount.

        POST /v1/refunds
        """
        return await self._call(AsyncPayment, "create_refund", locals())


class AsyncSecondFactor(AsyncResource):
    """The operations on second factor."""

    async def get(self) -> models.SecondFactor:
        """Show whether you have a second factor, and must have one.

        GET /v1/second-factor
        """
        return await self._call(models.SecondFactor, "get_second_factor", locals())

    async def create(self, *, password: str, qr_code: bool | None = None) -> models.NewSecondFactor:
        """Begin to set up a second factor: its secret, shown once, counts after a code of it is confirmed.

        POST /v1/second-factor
        """
        return await self._call(models.NewSecondFactor, "create_second_factor", locals())

    async def confirm(self, *, code: str) -> models.RecoveryCodes:
        """Confirm the second factor by a code of it; your other sessions end. Answers recovery codes, shown once.

        POST /v1/second-factor/confirm
        """
        return await self._call(models.RecoveryCodes, "confirm_second_factor", locals())

    async def create_recovery_codes(self, *, code: str) -> models.RecoveryCodes:
        """Replace your recovery codes, used and unused ones, by ten new ones, shown once.

        POST /v1/second-factor/recovery-codes
        """
        return await self._call(models.RecoveryCodes, "create_recovery_codes", locals())

    async def disable(self, *, code: str, password: str) -> None:
        """Remove your second factor and its recovery codes, by your password and a code; all your sessions end.

        POST /v1/second-factor/disable
        """
        await self._do("disable_second_factor", locals())


class AsyncSessions(AsyncResource):
    """The operations on sessions."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[models.Session]:
        """List your open sessions, newest first.

        GET /v1/sessions
        """
        return self._pages(models.Session, "list_sessions", locals())

    async def create(
        self,
        *,
        email: str,
        password: str,
        role: Literal["client", "merchant", "ops", "auditor", "member"] | None = None,
        lifetime_hours: int | None = None,
        idle_minutes: int | None = None,
        code: str | None = None,
        merchant: str | None = None,
    ) -> models.NewSession:
        """Sign in; the token is shown only once. An unknown address and a wrong password get the same answer.

        POST /v1/sessions
        """
        return await self._call(models.NewSession, "create_session", locals())

    async def delete_all(self) -> None:
        """Sign out everywhere, here too; API keys stay valid.

        DELETE /v1/sessions
        """
        await self._do("delete_sessions", locals())

    async def delete_current(self) -> None:
        """Sign out here; other devices stay signed in.

        DELETE /v1/sessions/current
        """
        await self._do("delete_current_session", locals())

    async def delete(self, id: str) -> None:
        """Sign out one device.

        DELETE /v1/sessions/{id}
        """
        await self._do("delete_session", locals())

    async def prove_second_factor(self, *, code: str) -> models.Session:
        """Prove your second factor again in this session, for what asks for it in the next ten minutes.

        POST /v1/sessions/current/second-factor
        """
        return await self._call(models.Session, "prove_second_factor", locals())


class AsyncStatus(AsyncResource):
    """The operations on status."""

    async def get(self) -> models.Status:
        """Show how payments are accepted and posted, and any problems; 503 if they are not accepted or not posted.

        GET /status
        """
        return await self._call(models.Status, "get_status", locals())


class AsyncTransfers(AsyncResource):
    """The operations on transfers."""

    async def create(
        self,
        *,
        amount: Amount,
        currency: str,
        source: str,
        target: str,
        metadata: Mapping[str, str] | None = None,
        scheduled_at: datetime | None = None,
        expires_at: datetime | None = None,
        quote: str | None = None,
        summary: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> AsyncPayment:
        """Create a transfer from one of your wallets to any wallet.

        POST /v1/transfers
        """
        return await self._call(AsyncPayment, "create_transfer", locals())


class AsyncWallets(AsyncResource):
    """The operations on wallets."""

    def list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        is_active: str | Sequence[str] | None = None,
        currency: str | None = None,
    ) -> AsyncPages[models.Wallet]:
        """List your wallets, newest first; inactive ones only if asked for.

        GET /v1/wallets
        """
        return self._pages(models.Wallet, "list_wallets", locals())

    async def create(
        self, *, currency: str, label: str | None = None, idempotency_key: str | None = None
    ) -> models.Wallet:
        """Create a wallet in one currency; its balance is zero.

        POST /v1/wallets
        """
        return await self._call(models.Wallet, "create_wallet", locals())

    async def get(self, token: str) -> models.Wallet:
        """Get one of your wallets; its ETag covers the members that PATCH changes, not the balance.

        GET /v1/wallets/{token}
        """
        return await self._call(models.Wallet, "get_wallet", locals())

    async def update(
        self,
        token: str,
        *,
        label: str | Unset | None = UNSET,
        is_active: bool | None = None,
        charge_limits: Sequence[LimitInput] | Unset | None = UNSET,
        blocked_merchants: Sequence[str] | Unset | None = UNSET,
        if_match: str,
    ) -> models.Wallet:
        """Update the label, use, charge limits or blocked merchants of one of your wallets.

        PATCH /v1/wallets/{token}
        """
        return await self._call(models.Wallet, "update_wallet", locals())

    def list_merchants(
        self, token: str, *, limit: int | None = None, cursor: str | None = None
    ) -> AsyncPages[models.ChargingMerchant]:
        """List the merchants that charged one of your wallets in its newest 10,000 outgoing payments, last charge
        first.

        GET /v1/wallets/{token}/merchants
        """
        return self._pages(models.ChargingMerchant, "list_wallet_merchants", locals())

    async def rotate(self, token: str) -> models.Wallet:
        """Rotate the token of one of your wallets; the old token stops working at once.

        POST /v1/wallets/{token}/rotate
        """
        return await self._call(models.Wallet, "rotate_wallet", locals())

    def list_operations(
        self,
        token: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        payment: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        success: str | Sequence[str] | None = None,
        amount: Amount | Sequence[Amount] | AmountBounds | None = None,
        currency: str | Sequence[str] | None = None,
        commission: str | Sequence[str] | AmountBounds | None = None,
        balance_after: str | Sequence[str] | AmountBounds | None = None,
        counterparty: SideFilter | None = None,
        summary: str | None = None,
        reference: str | None = None,
        failure: str | Sequence[str] | None = None,
        created_at: datetime | Sequence[datetime] | TimeBounds | None = None,
        finalized_at: datetime | Sequence[datetime] | TimeBounds | None = None,
        direction: str | Sequence[str] | None = None,
        sort: Literal[
            "payment",
            "type",
            "success",
            "amount",
            "currency",
            "commission",
            "balance_after",
            "counterparty[name]",
            "counterparty[last4]",
            "summary",
            "reference",
            "failure",
            "created_at",
            "finalized_at",
            "-payment",
            "-type",
            "-success",
            "-amount",
            "-currency",
            "-commission",
            "-balance_after",
            "-counterparty[name]",
            "-counterparty[last4]",
            "-summary",
            "-reference",
            "-failure",
            "-created_at",
            "-finalized_at",
        ]
        | None = None,
    ) -> AsyncPages[models.HistoryRow]:
        """List the completed and failed payments of a wallet, newest first.

        GET /v1/wallets/{token}/operations
        """
        return self._pages(models.HistoryRow, "list_wallet_operations", locals())

    async def get_balance(self, token: str, *, at: datetime) -> models.Balance:
        """Get the balance of a wallet at a time, after all payments posted by then.

        GET /v1/wallets/{token}/balance
        """
        return await self._call(models.Balance, "get_wallet_balance", locals())

    async def get_statement(self, token: str, *, month: str) -> models.Statement:
        """Get the statement of a wallet for a month (UTC): opening balance, lines, oldest first, and closing balance.

        GET /v1/wallets/{token}/statement
        """
        return await self._call(models.Statement, "get_wallet_statement", locals())

    def export_statement(self, token: str, *, month: str) -> AsyncIterator[dict[str, Any]]:
        """Get the statement of a wallet for a month (UTC): opening balance, lines, oldest first, and closing balance.

        GET /v1/wallets/{token}/statement
        """
        return self._rows("get_wallet_statement", locals())


class AsyncWebhookDeliveries(AsyncResource):
    """The operations on webhook deliveries."""

    async def get(self, id: str) -> models.WholeDelivery:
        """Show a delivery to one of your webhook endpoints, with each attempt and what the receiver answered.

        GET /v1/webhook-deliveries/{id}
        """
        return await self._call(models.WholeDelivery, "get_webhook_delivery", locals())

    async def redeliver(self, id: str) -> models.Delivery:
        """Send a delivery again with the same webhook-id and a full set of attempts; a pending one is sent now.

        POST /v1/webhook-deliveries/{id}/redeliver
        """
        return await self._call(models.Delivery, "redeliver_webhook_delivery", locals())


class AsyncWebhookEndpoints(AsyncResource):
    """The operations on webhook endpoints."""

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> AsyncPages[models.Endpoint]:
        """List your webhook endpoints, newest first.

        GET /v1/webhook-endpoints
        """
        return self._pages(models.Endpoint, "list_webhook_endpoints", locals())

    async def create(
        self,
        *,
        url: str,
        event_types: Sequence[
            Literal[
                "payment.initiated",
                "payment.authorized",
                "payment.completed",
                "payment.failed",
                "payment.parked",
                "bulk.completed",
                "bulk.partially_completed",
                "bulk.failed",
                "webhook_endpoint.disabled",
                "ping",
                "payment.*",
                "bulk.*",
                "webhook_endpoint.*",
                "*",
            ]
        ],
        payment_types: Sequence[
            Literal[
                "deposit", "withdrawal", "transfer", "charge", "exchange", "refund", "adjustment", "return", "bonus"
            ]
        ]
        | None = None,
        description: str | None = None,
    ) -> models.NewEndpoint:
        """Create a webhook endpoint; the secret that signs its events is shown only once.

        POST /v1/webhook-endpoints
        """
        return await self._call(models.NewEndpoint, "create_webhook_endpoint", locals())

    async def get(self, id: str) -> models.Endpoint:
        """Show one of your webhook endpoints; send its ETag as If-Match to change it. Ops and auditors read any.

        GET /v1/webhook-endpoints/{id}
        """
        return await self._call(models.Endpoint, "get_webhook_endpoint", locals())

    async def update(
        self,
        id: str,
        *,
        url: str | None = None,
        event_types: Sequence[
            Literal[
                "payment.initiated",
                "payment.authorized",
                "payment.completed",
                "payment.failed",
                "payment.parked",
                "bulk.completed",
                "bulk.partially_completed",
                "bulk.failed",
                "webhook_endpoint.disabled",
                "ping",
                "payment.*",
                "bulk.*",
                "webhook_endpoint.*",
                "*",
            ]
        ]
        | None = None,
        payment_types: Sequence[
            Literal[
                "deposit", "withdrawal", "transfer", "charge", "exchange", "refund", "adjustment", "return", "bonus"
            ]
        ]
        | Unset
        | None = UNSET,
        description: str | Unset | None = UNSET,
        is_active: bool | None = None,
        if_match: str,
    ) -> models.Endpoint:
        """Change one of your webhook endpoints, or deactivate or reactivate it, also after it was disabled
        automatically.

        PATCH /v1/webhook-endpoints/{id}
        """
        return await self._call(models.Endpoint, "update_webhook_endpoint", locals())

    async def delete(self, id: str, *, if_match: str) -> None:
        """Delete one of your webhook endpoints; nothing more is sent to it, not even pending deliveries.

        DELETE /v1/webhook-endpoints/{id}
        """
        await self._do("delete_webhook_endpoint", locals())

    async def rotate_secret(self, id: str, *, overlap_seconds: int | None = None) -> models.NewEndpoint:
        """Sign with a new secret, shown only once, and for a while also with the previous one; older ones end.

        POST /v1/webhook-endpoints/{id}/rotate-secret
        """
        return await self._call(models.NewEndpoint, "rotate_webhook_endpoint_secret", locals())

    async def test(self, id: str) -> models.Ping:
        """Send a ping to one of your webhook endpoints, whatever its event types.

        POST /v1/webhook-endpoints/{id}/test
        """
        return await self._call(models.Ping, "test_webhook_endpoint", locals())

    def list_deliveries(
        self,
        id: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        state: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
    ) -> AsyncPages[models.Delivery]:
        """List the deliveries to one of your webhook endpoints, sent or pending, newest first; of the last 30 days.

        GET /v1/webhook-endpoints/{id}/deliveries
        """
        return self._pages(models.Delivery, "list_webhook_endpoint_deliveries", locals())

    async def redeliver(
        self,
        id: str,
        *,
        from_: datetime,
        to: datetime,
        states: Sequence[Literal["pending", "delivered", "failed"]] | None = None,
    ) -> models.Redelivered:
        """Send the events of a time range again, oldest first, at most 10,000 per call.

        POST /v1/webhook-endpoints/{id}/redeliver
        """
        return await self._call(models.Redelivered, "redeliver_webhook_endpoint", locals())


class AsyncWithdrawals(AsyncResource):
    """The operations on withdrawals."""

    async def create(
        self,
        *,
        amount: Amount,
        currency: str,
        wallet: str,
        metadata: Mapping[str, str] | None = None,
        target: Literal["crypto", "wallet", "wire"] | None = None,
        iban: str | None = None,
        bic: str | None = None,
        name: str | None = None,
        summary: str | None = None,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> AsyncPayment:
        """Create a withdrawal from one of your wallets.

        POST /v1/withdrawals
        """
        return await self._call(AsyncPayment, "create_withdrawal", locals())


class AsyncOps(AsyncResource):
    """The operations of ops."""

    @property
    def accounts(self) -> AsyncOpsAccounts:
        """The operations on ops accounts."""
        return AsyncOpsAccounts(self._client)

    @property
    def adjustments(self) -> AsyncOpsAdjustments:
        """The operations on ops adjustments."""
        return AsyncOpsAdjustments(self._client)

    @property
    def assignments(self) -> AsyncOpsAssignments:
        """The operations on ops assignments."""
        return AsyncOpsAssignments(self._client)

    @property
    def audit(self) -> AsyncOpsAudit:
        """The operations on ops audit."""
        return AsyncOpsAudit(self._client)

    @property
    def balances(self) -> AsyncOpsBalances:
        """The operations on ops balances."""
        return AsyncOpsBalances(self._client)

    @property
    def batches(self) -> AsyncOpsBatches:
        """The operations on ops batches."""
        return AsyncOpsBatches(self._client)

    @property
    def breaches(self) -> AsyncOpsBreaches:
        """The operations on ops breaches."""
        return AsyncOpsBreaches(self._client)

    @property
    def closing(self) -> AsyncOpsClosing:
        """The operations on ops closing."""
        return AsyncOpsClosing(self._client)

    @property
    def commission_terms(self) -> AsyncOpsCommissionTerms:
        """The operations on ops commission terms."""
        return AsyncOpsCommissionTerms(self._client)

    @property
    def commissions(self) -> AsyncOpsCommissions:
        """The operations on ops commissions."""
        return AsyncOpsCommissions(self._client)

    @property
    def freezes(self) -> AsyncOpsFreezes:
        """The operations on ops freezes."""
        return AsyncOpsFreezes(self._client)

    @property
    def invitations(self) -> AsyncOpsInvitations:
        """The operations on ops invitations."""
        return AsyncOpsInvitations(self._client)

    @property
    def open_items(self) -> AsyncOpsOpenItems:
        """The operations on ops open items."""
        return AsyncOpsOpenItems(self._client)

    @property
    def overview(self) -> AsyncOpsOverview:
        """The operations on ops overview."""
        return AsyncOpsOverview(self._client)

    @property
    def pauses(self) -> AsyncOpsPauses:
        """The operations on ops pauses."""
        return AsyncOpsPauses(self._client)

    @property
    def payments(self) -> AsyncOpsPayments:
        """The operations on ops payments."""
        return AsyncOpsPayments(self._client)

    @property
    def rails(self) -> AsyncOpsRails:
        """The operations on ops rails."""
        return AsyncOpsRails(self._client)

    @property
    def reconciliations(self) -> AsyncOpsReconciliations:
        """The operations on ops reconciliations."""
        return AsyncOpsReconciliations(self._client)

    @property
    def resolutions(self) -> AsyncOpsResolutions:
        """The operations on ops resolutions."""
        return AsyncOpsResolutions(self._client)

    @property
    def saved_views(self) -> AsyncOpsSavedViews:
        """The operations on ops saved views."""
        return AsyncOpsSavedViews(self._client)

    @property
    def search(self) -> AsyncOpsSearch:
        """The operations on ops search."""
        return AsyncOpsSearch(self._client)

    @property
    def users(self) -> AsyncOpsUsers:
        """The operations on ops users."""
        return AsyncOpsUsers(self._client)

    @property
    def webhook_deliveries(self) -> AsyncOpsWebhookDeliveries:
        """The operations on ops webhook deliveries."""
        return AsyncOpsWebhookDeliveries(self._client)

    @property
    def webhook_endpoints(self) -> AsyncOpsWebhookEndpoints:
        """The operations on ops webhook endpoints."""
        return AsyncOpsWebhookEndpoints(self._client)

    @property
    def workers(self) -> AsyncOpsWorkers:
        """The operations on ops workers."""
        return AsyncOpsWorkers(self._client)


class AsyncClient(AsyncCore):
    """The API: its operations, by resource."""

    @property
    def api_keys(self) -> AsyncApiKeys:
        """The operations on api keys."""
        return AsyncApiKeys(self)

    @property
    def bank_accounts(self) -> AsyncBankAccounts:
        """The operations on bank accounts."""
        return AsyncBankAccounts(self)

    @property
    def bulk_charges(self) -> AsyncBulkCharges:
        """The operations on bulk charges."""
        return AsyncBulkCharges(self)

    @property
    def bulk_transfers(self) -> AsyncBulkTransfers:
        """The operations on bulk transfers."""
        return AsyncBulkTransfers(self)

    @property
    def charges(self) -> AsyncCharges:
        """The operations on charges."""
        return AsyncCharges(self)

    @property
    def clients(self) -> AsyncClients:
        """The operations on clients."""
        return AsyncClients(self)

    @property
    def closing(self) -> AsyncClosing:
        """The operations on closing."""
        return AsyncClosing(self)

    @property
    def commissions(self) -> AsyncCommissions:
        """The operations on commissions."""
        return AsyncCommissions(self)

    @property
    def confirmations(self) -> AsyncConfirmations:
        """The operations on confirmations."""
        return AsyncConfirmations(self)

    @property
    def currencies(self) -> AsyncCurrencies:
        """The operations on currencies."""
        return AsyncCurrencies(self)

    @property
    def deposits(self) -> AsyncDeposits:
        """The operations on deposits."""
        return AsyncDeposits(self)

    @property
    def events(self) -> AsyncEvents:
        """The operations on events."""
        return AsyncEvents(self)

    @property
    def exchange_rates(self) -> AsyncExchangeRates:
        """The operations on exchange rates."""
        return AsyncExchangeRates(self)

    @property
    def exchanges(self) -> AsyncExchanges:
        """The operations on exchanges."""
        return AsyncExchanges(self)

    @property
    def health(self) -> AsyncHealth:
        """The operations on health."""
        return AsyncHealth(self)

    @property
    def invitations(self) -> AsyncInvitations:
        """The operations on invitations."""
        return AsyncInvitations(self)

    @property
    def me(self) -> AsyncMe:
        """The operations on me."""
        return AsyncMe(self)

    @property
    def members(self) -> AsyncMembers:
        """The operations on members."""
        return AsyncMembers(self)

    @property
    def memberships(self) -> AsyncMemberships:
        """The operations on memberships."""
        return AsyncMemberships(self)

    @property
    def merchant(self) -> AsyncMerchant:
        """The operations on merchant."""
        return AsyncMerchant(self)

    @property
    def merchants(self) -> AsyncMerchants:
        """The operations on merchants."""
        return AsyncMerchants(self)

    @property
    def password_resets(self) -> AsyncPasswordResets:
        """The operations on password resets."""
        return AsyncPasswordResets(self)

    @property
    def payments(self) -> AsyncPayments:
        """The operations on payments."""
        return AsyncPayments(self)

    @property
    def quotes(self) -> AsyncQuotes:
        """The operations on quotes."""
        return AsyncQuotes(self)

    @property
    def receipt_keys(self) -> AsyncReceiptKeys:
        """The operations on receipt keys."""
        return AsyncReceiptKeys(self)

    @property
    def refunds(self) -> AsyncRefunds:
        """The operations on refunds."""
        return AsyncRefunds(self)

    @property
    def second_factor(self) -> AsyncSecondFactor:
        """The operations on second factor."""
        return AsyncSecondFactor(self)

    @property
    def sessions(self) -> AsyncSessions:
        """The operations on sessions."""
        return AsyncSessions(self)

    @property
    def status(self) -> AsyncStatus:
        """The operations on status."""
        return AsyncStatus(self)

    @property
    def transfers(self) -> AsyncTransfers:
        """The operations on transfers."""
        return AsyncTransfers(self)

    @property
    def wallets(self) -> AsyncWallets:
        """The operations on wallets."""
        return AsyncWallets(self)

    @property
    def webhook_deliveries(self) -> AsyncWebhookDeliveries:
        """The operations on webhook deliveries."""
        return AsyncWebhookDeliveries(self)

    @property
    def webhook_endpoints(self) -> AsyncWebhookEndpoints:
        """The operations on webhook endpoints."""
        return AsyncWebhookEndpoints(self)

    @property
    def withdrawals(self) -> AsyncWithdrawals:
        """The operations on withdrawals."""
        return AsyncWithdrawals(self)

    @property
    def ops(self) -> AsyncOps:
        """The operations on ops."""
        return AsyncOps(self)
