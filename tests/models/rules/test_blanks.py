"""Blanks are folded, so that texts that look alike are equal; nothing else is changed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.blanks import fold_blanks, is_blank
from tests.unicode_blanks import BLANKS


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_every_unicode_blank_becomes_a_space(blank: str) -> None:
    assert fold_blanks(f"{blank}A{blank}{blank} 1{blank}") == "A 1"


@pytest.mark.parametrize("character", ["\u00ad", "\u180e", "\u200b", "\u2060", "\ufeff"], ids=ascii)
def test_characters_without_width_are_dropped(character: str) -> None:
    assert fold_blanks(f"{character}A{character}1{character}") == "A1"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", ""),
        (" \u00a0\r\n", ""),
        ("e\u0301 1", "\u00e9 1"),
        ("e\u200b\u0301", "\u00e9"),
        ("A\x00B", "A\x00B"),
        ("A\x1fB", "A\x1fB"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("Ab-1", "Ab-1"),
    ],
    ids=ascii,
)
def test_only_blanks_are_folded(text: str, folded: str) -> None:
    assert fold_blanks(text) == folded


@pytest.mark.parametrize(
    "text",
    ["", " ", "\u00a0", "\u200b", "\u200d\u200c", "\u3164", "\u115f\u1160", "\uffa0", "\u2800", "\u034f", "\ufe0f",
     "\u00ad", "\u180e", "\u2062", "\U000e0020", "\u0301", "\u17b4"],
    ids=ascii,
)  # fmt: skip
def test_invisible_text_is_found(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}A{text}")


@pytest.mark.parametrize(
    "text", ["-", "1", "\u00e9", "e\u0301", "\u4e2d", "\u0e01\u0e34", "\U0001f9e8", "\u20ac"], ids=ascii
)
def test_visible_text_is_found(text: str) -> None:
    assert not is_blank(text)


@given(st.text(st.sampled_from([*BLANKS, *"aA-1", "e", "\u0301", "\u200b", "\u200c", "\ufeff", "\u00e9"])))
def test_folded_text_is_unchanged_by_folding(text: str) -> None:
    folded = fold_blanks(text)
    assert fold_blanks(folded) == folded == unicodedata.normalize("NFC", folded)
    assert folded == folded.strip() and "  " not in folded


@given(st.lists(st.text("ab1-\u00e9", min_size=1), min_size=1), st.data())
def test_texts_that_differ_in_blanks_only_fold_alike(texts: list[str], data: st.DataObject) -> None:
    blank = st.text(st.sampled_from(BLANKS), min_size=1)
    spelt = data.draw(blank).join(texts) + data.draw(blank)
    assert fold_blanks(spelt) == " ".join(texts)
