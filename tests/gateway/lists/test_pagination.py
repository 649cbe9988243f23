"""N50 to N56 over HTTP: pages, cursors and filters, and queries that are refused."""

from typing import Any

import pytest

from tests.gateway.harness import ApiHarness, ApiUser

COUNT = 7


class History:
    """A client with some payments, newest first."""

    def __init__(self, api: ApiHarness) -> None:
        self.person = api.person()
        self.wallet = self.person.wallet("1.00")
        self.other = self.person.wallet()
        for number in range(COUNT - 1):
            order = {"source": self.wallet, "target": self.other, "amount": f"{number + 1}.00", "currency": "EUR"}
            self.person.order("/v1/transfers", order)
        self.ids = [row["id"] for row in self.page("limit=100")["data"]]

    def page(self, query: str) -> dict[str, Any]:
        answer = self.person.get(f"/v1/payments?{query}")
        assert answer.status_code == 200
        return answer.get_json()

    def refusal(self, query: str) -> tuple[int, str]:
        answer = self.person.get(f"/v1/payments?{query}")
        return answer.status_code, answer.get_json()["code"]


@pytest.fixture(scope="module")
def history(api: ApiHarness) -> History:
    return History(api)


def test_newest_first(history: History) -> None:
    assert len(history.ids) == COUNT
    assert history.ids == sorted(history.ids, reverse=True)


@pytest.mark.parametrize("limit", [1, 2, 3, COUNT - 1, COUNT, COUNT + 1])
def test_forth_and_back_again(history: History, limit: int) -> None:
    forth, page = [], history.page(f"limit={limit}")
    assert page["prev_cursor"] is None
    while True:
        forth.append([row["id"] for row in page["data"]])
        assert page["has_more"] is (page["next_cursor"] is not None)
        if not page["has_more"]:
            break
        page = history.page(f"limit={limit}&cursor={page['next_cursor']}")
    assert [id for ids in forth for id in ids] == history.ids
    back = [forth[-1]]
    while page["prev_cursor"]:
        page = history.page(f"limit={limit}&cursor={page['prev_cursor']}")
        back.append([row["id"] for row in page["data"]])
        assert page["has_more"]
    assert back == forth[::-1]


def test_links_lead_where_the_cursors_lead(history: History) -> None:
    answer = history.person.get("/v1/payments?limit=2&state=INITIATED,COMPLETED")
    link = answer.headers["Link"]
    assert link.endswith('>; rel="next"')
    followed = history.person.get(link[1 : link.index(">")]).get_json()
    assert [row["id"] for row in followed["data"]] == history.ids[2:4]


def test_n54_limits(history: History) -> None:
    assert len(history.page("limit=100")["data"]) == COUNT
    for limit in ("0", "-1", "101", "1000000000", "1e2", "1.0", "", " 1", "+1", "\u0661", "9" * 5_000, "NaN", "null"):
        assert history.refusal(f"limit={limit}") == (422, "limit_out_of_range"), limit
    assert history.refusal("offset=10") == (422, "unknown_parameter")
    assert history.refusal("page=2") == (422, "unknown_parameter")


def test_n55_cursors_that_were_not_given(history: History, stranger: ApiUser) -> None:
    cursor = history.page("limit=2")["next_cursor"]
    edited = [
        cursor[:-1],
        cursor[1:],
        cursor + "x",
        cursor.swapcase(),
        "x",
        "",
        "a" * 1_000,
        "null",
        "..",
        cursor[: len(cursor) // 2],
    ]
    unsigned = cursor.rpartition(".")[0]
    for wrong in [*edited, unsigned, "%00", "%ef%bf%bd", "\u0661"]:
        assert history.refusal(f"limit=2&cursor={wrong}") == (400, "bad_cursor"), wrong
    assert history.refusal(f"state=FAILED&cursor={cursor}") == (400, "bad_cursor")
    assert history.refusal(f"wallet={history.wallet}&cursor={cursor}") == (400, "bad_cursor")
    assert stranger.get(f"/v1/payments?limit=2&cursor={cursor}").get_json()["code"] == "bad_cursor"
    assert history.person.get(f"/v1/wallets?cursor={cursor}").get_json()["code"] == "bad_cursor"


def test_a_cursor_goes_on_with_another_length_of_page(history: History) -> None:
    cursor = history.page("limit=2")["next_cursor"]
    assert [row["id"] for row in history.page(f"limit=3&cursor={cursor}")["data"]] == history.ids[2:5]


def test_filters(history: History) -> None:
    def ids(query: str) -> list[str]:
        return [row["id"] for row in history.page(query)["data"]]

    assert ids("state=COMPLETED") == history.ids[-1:]
    assert ids("state=INITIATED") == history.ids[:-1]
    assert ids("state=COMPLETED,INITIATED") == history.ids
    assert ids("type=deposit") == history.ids[-1:]
    assert ids("type=transfer,charge&state=FAILED") == []
    assert ids(f"wallet={history.other}") == history.ids[:-1]
    assert ids(f"wallet={history.wallet}") == history.ids
    assert ids("wallet=wal_" + "x" * 32) == []
    third = history.page("limit=100")["data"][2]["created_at"].replace("+00:00", "Z")
    assert ids(f"created_at[gte]={third}") == history.ids[:3]
    assert ids(f"created_at[gt]={third}") == history.ids[:2]
    assert ids(f"created_at[lt]={third}") == history.ids[3:]
    assert ids(f"created_at[lte]={third}") == history.ids[2:]
    assert ids(f"created_at[gte]={third}&created_at[lte]={third}") == history.ids[2:3]
    assert ids(f"created_at[gt]={third}&created_at[lt]={third}") == []


@pytest.mark.parametrize(
    "query",
    ["x=1", "state[]=INITIATED", "state[gte]=INITIATED", "created_at[]=2026-01-01T00:00:00Z", "created_at[like]=2026",
     "order_by=1", "State=INITIATED", "account_id=1", "%00=1", "=1"],
)  # fmt: skip
def test_n50_n53_unknown_parameters(history: History, query: str) -> None:
    assert history.refusal(query) == (422, "unknown_parameter")


@pytest.mark.parametrize("query", ["limit=1&limit=2", "state=FAILED&state=FAILED", "cursor=a&cursor=b"])
def test_n50_repeated_parameters(history: History, query: str) -> None:
    assert history.refusal(query) == (422, "repeated_parameter")


@pytest.mark.parametrize(
    "query",
    ["state=initiated", "state=", "state=,", "state=INITIATED,", "state=INITIATED;COMPLETED", "state=' OR 1=1--",
     "type=%25", "type=_ransfer", "wallet=%27;--", "wallet=", "state=" + ",".join(["FAILED"] * 21), "state=%00",
     "state=%ef%bf%bd", "created_at[gte]=2026-01-01", "created_at[gte]=2026-01-01T00:00:00",
     "created_at[gte]=2026-13-01T00:00:00Z",
     "created_at[gte]=2026-02-30T00:00:00Z", "created_at[gte]=9999-12-31T23:59:59Z",
     "created_at[lte]=0001-01-01T00:00:00Z",
     "created_at[gte]=2026-01-01T00:00:00-99:99", "created_at[gte]=now", "created_at[gte]=1",
     "created_at[gte]=infinity",
     "created_at[gte]=2026-01-01T25:00:00Z", "created_at[gte]=2026-01-01T00:00:00.1234567890Z",
     "created_at[gt]=", "created_at[lt]=%00", "sort=id;DROP TABLE payments"],
)  # fmt: skip
def test_n52_n56_values_that_are_none(history: History, query: str) -> None:
    assert history.refusal(query) == (422, "invalid_value")


def test_n56_an_inverted_range_is_empty(history: History) -> None:
    query = "created_at[gte]=9998-12-31T23:59:59.999999Z&created_at[lte]=1971-01-01T00:00:00%2B14:00"
    assert history.page(query)["data"] == []


@pytest.mark.parametrize("path", ["/v1/currencies?limit=1", "/status?x=1", "/v1/payments/x?y", "/health/live?verbose"])
def test_n50_routes_without_parameters_take_none(client: ApiUser, path: str) -> None:
    assert client.get(path).get_json()["code"] == "unknown_parameter"


def test_orders_take_no_parameters(api: ApiHarness, client: ApiUser) -> None:
    with api.unchanged():
        assert client.order("/v1/wallets?dry_run=1", {"currency": "EUR"}).get_json()["code"] == "unknown_parameter"


def test_wallets_in_pages(client: ApiUser) -> None:
    tokens = [client.wallet() for _ in range(3)][::-1]
    first = client.get("/v1/wallets?limit=2").get_json()
    second = client.get(f"/v1/wallets?limit=2&cursor={first['next_cursor']}").get_json()
    back = client.get(f"/v1/wallets?limit=2&cursor={second['prev_cursor']}").get_json()
    assert [row["token"] for row in first["data"] + second["data"]] == tokens
    assert back["data"] == first["data"]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)


def test_currencies_are_listed_with_their_digits(client: ApiUser) -> None:
    digits = {row["code"]: row["digits"] for row in client.get("/v1/currencies").get_json()["data"]}
    assert (digits["EUR"], digits["JPY"], digits["KWD"]) == (2, 0, 3)
    assert list(digits) == sorted(digits)
