"""Exchange: both directions, rounded against the customer, whatever the digits; nothing is ever minted."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.rules.commission import FREE, Terms
from models.rules.exchange import RATE_ONE, Market, Offer, Side, needed, offer, rate_text, received
from models.rules.money import MINOR_UNITS_MAX, MoneyError, parse

DIGITS = st.sampled_from([0, 2, 3, 8, 18])
RATES = st.integers(1, 10**38 - 1)
AMOUNTS = st.integers(1, 10**6) | st.integers(1, MINOR_UNITS_MAX) | st.integers(MINOR_UNITS_MAX - 10, MINOR_UNITS_MAX)
MARKETS = st.builds(Market, RATES | st.integers(RATE_ONE // 1000, RATE_ONE * 1000), DIGITS, DIGITS)
TERMS = st.lists(
    st.builds(
        Terms,
        st.integers(0, 50_000_000),
        st.integers(0, 1000),
        st.integers(0, 1000),
        st.none() | st.integers(1000, 10**20),
    ),
    max_size=2,
)


def rate(text: str) -> int:
    return parse(text, 18)


@pytest.mark.parametrize(
    ("side", "amount", "market", "percent", "expected"),
    [
        (Side.SOURCE, 10000, Market(rate("1.0837"), 2, 2), 0, Offer(10000, 10837, 0)),
        (Side.SOURCE, 1, Market(rate("1.0837"), 2, 2), 0, Offer(1, 1, 0)),
        (Side.SOURCE, 10000, Market(rate("162.456"), 2, 0), 0, Offer(10000, 16245, 0)),
        (Side.SOURCE, 16245, Market(rate("0.00615"), 0, 2), 0, Offer(16245, 9990, 0)),
        (Side.SOURCE, 100, Market(rate("0.3"), 2, 3), 0, Offer(100, 300, 0)),
        (Side.SOURCE, 1, Market(rate("0.000000000000000001"), 0, 18), 0, Offer(1, 1, 0)),
        (Side.SOURCE, 10000, Market(rate("1.0837"), 2, 2), 1_000_000, Offer(10000, 10728, 100)),
        (Side.TARGET, 10837, Market(rate("1.0837"), 2, 2), 0, Offer(10000, 10837, 0)),
        (Side.TARGET, 10838, Market(rate("1.0837"), 2, 2), 0, Offer(10001, 10838, 0)),
        (Side.TARGET, 1, Market(rate("162.456"), 2, 0), 0, Offer(1, 1, 0)),
        (Side.TARGET, 1, Market(rate("0.0067"), 0, 2), 0, Offer(2, 1, 0)),
        (Side.TARGET, 9900, Market(RATE_ONE, 2, 2), 1_000_000, Offer(10000, 9900, 100)),
        (Side.TARGET, 100000000, Market(rate("0.00001"), 2, 8), 0, Offer(10000000, 100000000, 0)),
        (Side.SOURCE, MINOR_UNITS_MAX, Market(RATE_ONE, 18, 18), 0, Offer(MINOR_UNITS_MAX, MINOR_UNITS_MAX, 0)),
        (Side.TARGET, MINOR_UNITS_MAX, Market(RATE_ONE, 18, 18), 0, Offer(MINOR_UNITS_MAX, MINOR_UNITS_MAX, 0)),
    ],
)
def test_offer_examples(side: Side, amount: int, market: Market, percent: int, expected: Offer) -> None:
    assert offer(side, amount, market, [Terms(percent)]) == expected


@pytest.mark.parametrize(
    ("side", "amount", "market", "terms", "code"),
    [
        (Side.SOURCE, 1, Market(rate("0.0067"), 0, 0), FREE, "amount_too_small"),
        (Side.SOURCE, 1, Market(rate("0.99"), 2, 2), FREE, "amount_too_small"),
        (Side.SOURCE, 100, Market(RATE_ONE, 2, 2), Terms(0, fixed=100), "amount_too_small"),
        (Side.SOURCE, 100, Market(RATE_ONE, 2, 2), Terms(0, minimum=101), "amount_too_small"),
        (Side.SOURCE, MINOR_UNITS_MAX, Market(RATE_ONE + 1, 2, 2), FREE, "amount_too_large"),
        (Side.TARGET, MINOR_UNITS_MAX, Market(RATE_ONE - 1, 2, 2), FREE, "amount_too_large"),
        (Side.TARGET, MINOR_UNITS_MAX, Market(RATE_ONE, 2, 2), Terms(1), "amount_too_large"),
        (Side.TARGET, 1, Market(RATE_ONE, 2, 2), Terms(100_000_000), "amount_too_large"),
    ],
)
def test_offers_out_of_bounds_are_refused(side: Side, amount: int, market: Market, terms: Terms, code: str) -> None:
    with pytest.raises(MoneyError) as refused:
        offer(side, amount, market, [terms])
    assert refused.value.code == code


def test_hundred_exchanges_of_one_yen_gain_nothing() -> None:
    yen_to_franc, franc_to_yen = Market(rate("0.0067"), 0, 2), Market(rate("149.25"), 2, 0)
    for _ in range(100):
        with pytest.raises(MoneyError):
            offer(Side.SOURCE, 1, yen_to_franc)
    paid = sum(offer(Side.TARGET, 1, yen_to_franc).source_amount for _ in range(100))
    assert paid == 200
    assert received(100, franc_to_yen) == 149


@given(MARKETS, AMOUNTS)
def test_received_amount_is_never_worth_more_than_the_paid(market: Market, amount: int) -> None:
    assert needed(received(amount, market), market) <= amount
    assert received(needed(amount, market), market) >= amount
    assert received(needed(amount, market) - 1, market) < amount, "no less would do"


@given(MARKETS, AMOUNTS, RATES)
def test_round_trip_never_gains(market: Market, amount: int, back: int) -> None:
    back = min(back, RATE_ONE * RATE_ONE // market.rate)
    home = Market(back, market.target_digits, market.source_digits)
    assert received(received(amount, market), home) <= amount


@given(MARKETS, AMOUNTS, TERMS, st.sampled_from(Side))
def test_offer_never_exceeds_its_rate(market: Market, amount: int, terms: list[Terms], side: Side) -> None:
    try:
        made = offer(side, amount, market, terms)
    except MoneyError:
        assume(False)
    assert (made.source_amount if side is Side.SOURCE else made.target_amount) == amount
    assert 0 <= made.commission < made.source_amount <= MINOR_UNITS_MAX
    assert 0 < made.target_amount <= received(made.source_amount - made.commission, market) <= MINOR_UNITS_MAX * 10**56
    if side is Side.TARGET:
        assert needed(amount, market) == made.source_amount - made.commission


@given(MARKETS, AMOUNTS, st.builds(Terms, st.integers(0, 50_000_000)), TERMS, st.sampled_from(Side))
def test_higher_commission_never_raises_the_offer(
    market: Market, amount: int, spread: Terms, terms: list[Terms], side: Side
) -> None:
    try:
        beyond = offer(side, amount, market, [spread, *terms[:1]])
    except MoneyError:
        assume(False)
    try:
        within = offer(side, amount, market, [spread])
    except MoneyError as error:
        assert error.code == "amount_too_large", "what brings something at more commission does at less"
        return
    assert within.source_amount <= beyond.source_amount
    assert within.target_amount >= beyond.target_amount
    assert within.commission <= beyond.commission


@given(RATES)
def test_rate_text_survives_the_round_trip(given_rate: int) -> None:
    assert parse(rate_text(given_rate), 18) == given_rate
    assert not rate_text(given_rate).endswith(".")
