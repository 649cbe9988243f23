"""The shapes of currencies as ops add and change them."""

from gateway.http.fields import Amount, ChangeInput, Choice, Input, NewCurrencyCode, Text, TrueOrFalse, WholeNumber

NAME_LENGTH_MAX = 100
DIGITS_MAX = 18
"""As many as any cryptocurrency has; with 20 more before the point an amount still fits its column."""


class CurrencyInput(Input):
    """A new currency, with the bounds of a payment and of a balance."""

    code = NewCurrencyCode(required=True)
    digits = WholeNumber(DIGITS_MAX, required=True)
    kind = Choice(("crypto", "custom"), required=True)
    name = Text(NAME_LENGTH_MAX, required=True)
    minimum = Amount()
    maximum = Amount()
    balance_maximum = Amount()


class CurrencyChange(ChangeInput):
    """A change of a currency by ops; null removes a bound."""

    name = Text(NAME_LENGTH_MAX)
    minimum = Amount(allow_none=True)
    maximum = Amount(allow_none=True)
    balance_maximum = Amount(allow_none=True)
    is_active = TrueOrFalse()
