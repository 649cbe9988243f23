"""Amounts: the grammar of decimal strings, and the round trip between them and minor units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.money import MINOR_UNITS_MAX, MoneyError, parse, render

DIGITS = [0, 2, 3, 8, 18]


@pytest.mark.parametrize(
    ("text", "digits", "minor"),
    [
        ("1", 0, 1),
        ("1", 2, 100),
        ("0.01", 2, 1),
        ("10.5", 2, 1050),
        ("10.50", 2, 1050),
        ("0.001", 3, 1),
        ("0.00000001", 8, 1),
        ("9.223372036854775808", 18, 2**63),
        ("9" * 38, 0, MINOR_UNITS_MAX),
        ("9" * 36 + ".99", 2, MINOR_UNITS_MAX),
        ("9" * 20 + "." + "9" * 18, 18, MINOR_UNITS_MAX),
    ],
)
def test_valid_amounts_are_parsed(text, digits, minor):
    assert parse(text, digits) == minor


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(
            (text, "amount_invalid")
            for text in [
                *("", " ", ".", "1.", ".5", "1..0", "1.0.0", "1,00", "1.00,0", "1 000", "1_000", "1'000", "0x10"),
                *("01", "00", "00.10", "-1", "+1", "-0", "−1", "1e2", "1E2", "1e-2", "NaN", "nan", "sNaN", "Infinity"),
                *("-Infinity", "inf", "True", "null", " 10 ", "10 ", " 10", "10\n", "\n10", "10\r\n", "10\t", "10\0"),
                *("١٠", "１０", "१०", "1٠", "10.٠", "²", "½", "Ⅷ", "10\u200b", "10\u00a0", "\ufeff10", "€10", "10 EUR"),
            ]
        ),
        *((text, "amount_precision") for text in ["1.000", "0.001", "10.500", "0.000", "1.0000000000"]),
        *((text, "amount_not_positive") for text in ["0", "0.0", "0.00"]),
        *((text, "amount_too_large") for text in ["9" * 37, "1" + "0" * 36 + ".00", "9" * 400, "0." + "0" * 400]),
    ],
)
def test_invalid_amounts_are_refused_by_their_code(text, code):
    with pytest.raises(MoneyError) as refused:
        parse(text, 2)
    assert refused.value.code == code


@pytest.mark.parametrize("digits", DIGITS)
def test_excess_digit_is_refused_and_never_rounded(digits):
    with pytest.raises(MoneyError) as refused:
        parse("1." + "0" * (digits + 1), digits)
    assert refused.value.code == "amount_precision"


@pytest.mark.parametrize("digits", DIGITS)
def test_amount_beyond_38_digits_is_refused(digits):
    with pytest.raises(MoneyError) as refused:
        parse(render(MINOR_UNITS_MAX + 1, digits), digits)
    assert refused.value.code == "amount_too_large"


@pytest.mark.parametrize(
    ("minor", "digits", "text"),
    [
        (0, 0, "0"),
        (0, 2, "0.00"),
        (5, 2, "0.05"),
        (-5, 2, "-0.05"),
        (1050, 2, "10.50"),
        (-1050, 2, "-10.50"),
        (-7, 0, "-7"),
        (10**18, 18, "1.000000000000000000"),
        (MINOR_UNITS_MAX, 3, "9" * 35 + ".999"),
    ],
)
def test_rendered_amount_has_the_digits_of_its_currency(minor, digits, text):
    assert render(minor, digits) == text


@given(st.integers(1, MINOR_UNITS_MAX) | st.integers(MINOR_UNITS_MAX - 1000, MINOR_UNITS_MAX), st.sampled_from(DIGITS))
def test_rendered_amount_is_parsed_to_the_same_units(minor, digits):
    assert parse(render(minor, digits), digits) == minor


@given(st.text() | st.from_regex(r"\A[0-9.+\-eE_ ]{0,80}\Z"), st.sampled_from(DIGITS))
def test_any_text_is_an_amount_or_a_known_refusal(text, digits):
    try:
        minor = parse(text, digits)
    except MoneyError as refused:
        assert refused.code in {"amount_invalid", "amount_precision", "amount_not_positive", "amount_too_large"}
        return
    assert 0 < minor <= MINOR_UNITS_MAX
    whole, _, fraction = text.partition(".")
    assert render(minor, digits) == (f"{whole}.{fraction.ljust(digits, '0')}" if digits else whole)
