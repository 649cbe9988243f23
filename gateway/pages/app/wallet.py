"""GET /app/wallets/{token}: a wallet, its history with the balance after each line, and who charged it."""

from flask import Response

from gateway.pages.app.home import PAGE_LENGTH
from gateway.pages.app.pages import app_pages
from gateway.pages.app.statements import FORMATS
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.formats import month_now
from gateway.pages.rendering import query, render
from gateway.pages.visitors import get

HISTORY_FILTERS = (ListFilter("direction", "Direction", ("in", "out")),)


@app_pages.get("/wallets/<token>")
def wallet(token: str) -> Response:
    """One wallet."""
    path = f"/v1/wallets/{token}"
    shown = get(path)
    history = get(f"{path}/operations", {"limit": PAGE_LENGTH, **chosen(query(), HISTORY_FILTERS)})
    return render(
        "app/wallet.html",
        wallet=shown.body,
        page=history.body,
        chips=chips(query(), HISTORY_FILTERS),
        merchants=get(f"{path}/merchants").body["data"],
        month=month_now(),
        formats=[(value, label) for value, (label, _) in FORMATS.items()],
        call=history.call,
    )
