"""Which queries of which lists can be saved: those of the API and of the pages."""

import json

import pytest

from embedded.home import CHECKOUT
from gateway.pages.console import accounts, adjustments, audit, bulks, payments, users, webhooks
from models.rules.saved_views import LISTS, read_query
from models.rules.text import TextError

PAGES = {
    **{"payments": payments, "users": users, "accounts": accounts, "audit": audit, "webhooks": webhooks},
    **{"bulks": bulks, "adjustments": adjustments},
}

PAGE_VALUES = {
    "payments": {payments.COLUMNS: set(payments.LIST_COLUMNS)},
    "accounts": {accounts.SHOW: {accounts.WALLETS}},
    "bulks": {"kind": set(bulks.KINDS)},
}


def test_filters_are_those_of_the_pages_and_the_api() -> None:
    paths = json.loads((CHECKOUT / "docs" / "openapi.json").read_text())["paths"]
    assert PAGES.keys() == LISTS.keys()
    for name, viewed in LISTS.items():
        taken = {parameter["name"] for parameter in paths[viewed.path]["get"]["parameters"]}
        assert viewed.filters == {filter.name for filter in PAGES[name].FILTERS}
        assert viewed.filters <= taken
        assert viewed.page_values == PAGE_VALUES.get(name, {})


def test_query_of_a_list_is_encoded_and_its_filters_read() -> None:
    read = read_query("payments", "error_contains=a%26b+c\u00fc&columns=state,type&state=FAILED")
    assert read.text == "error_contains=a%26b+c%C3%BC&columns=state%2Ctype&state=FAILED"
    assert read.filters == {"error_contains": "a&b c\u00fc", "state": "FAILED"}
    assert read_query("payments", read.text) == read


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_value"),
        ("state", "invalid_value"),
        ("state=", "invalid_value"),
        ("state=%FF", "invalid_value"),
        ("state=a&state=b", "repeated_parameter"),
        ("cursor=x", "unknown_parameter"),
        ("limit=1", "unknown_parameter"),
        ("next=//evil.example", "unknown_parameter"),
        ("role=ops", "unknown_parameter"),
        ("columns=state,secret", "invalid_value"),
        ("state=%00", "text_invalid"),
        ("error_contains=" + "\u20ac" * 300, "text_too_long"),
    ],
)
def test_query_that_is_not_of_the_list_is_refused(text: str, code: str) -> None:
    with pytest.raises(TextError) as refused:
        read_query("payments", text)
    assert refused.value.code == code
