"""GET /v1/ops/search: what has a text as its id, key, reference, token, address or number."""

from functools import partial

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.ops.search_schemas import SearchQuery, SearchSchema
from gateway.services import reader
from models import ops_search

searches = Blueprint(
    "searches",
    __name__,
    url_prefix="/v1/ops/search",
    description="Finding payments, accounts and users by what people quote.",
)


@searches.route("")
@requires("ops:read")
@searches.arguments(SearchQuery, location="query")
@searches.response(200, SearchSchema)
def search(query: Body) -> JsonAnswer:
    """Find what has exactly this text: payments, wallets, users, bulks, batches, statements, audit entries.

    It may be the id of any of them, the id of a webhook, a wallet's token or its last four characters, an e-mail
    address, a phone number, an idempotency key, a reference, a reference of a bank, or the id of a request that changed
    something. A request that orders a payment gives it its own id, unless the client chose the id of the request.
    """
    found = reader()(partial(ops_search.search, text=query["q"]))
    return {"data": [ops_search.body(hit) for hit in found.hits], "has_more": found.has_more}, {}
