"""Creditor references of two kinds are recognized by their check digits."""

import pytest

from models.rules.creditor_reference import kind_of

RF, QRR = "RF18539007547034", "210000000003139471430009017"


@pytest.mark.parametrize("reference", [RF, "RF712348231", "RF45G72UUR"])
def test_iso_11649_references_are_recognized(reference: str) -> None:
    assert kind_of(reference) == "SCOR"


@pytest.mark.parametrize("reference", [QRR, "0" * 27])
def test_qr_bill_references_are_recognized(reference: str) -> None:
    assert kind_of(reference) == "QRR"


@pytest.mark.parametrize("reference", [RF, QRR])
def test_any_wrong_digit_is_detected(reference: str) -> None:
    for place, digit in enumerate(reference):
        if digit.isdigit():
            for other in set("0123456789") - {digit}:
                assert kind_of(reference[:place] + other + reference[place + 1 :]) is None


@pytest.mark.parametrize(
    "reference",
    ["", "RF", "RF18", RF.lower(), f"{RF} ", f"{RF}\n", "RF18" + "5" * 22, QRR[1:], QRR + "0", "\u0661" * 27],
)
def test_other_texts_are_no_references(reference: str) -> None:
    assert kind_of(reference) is None
