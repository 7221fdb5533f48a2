"""The one form of an e-mail address, and what is searched for."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import canonical_email, clean_email, searched


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ann@example.com", "ann@example.com"),
        (" Ann.Lee+x@EXAMPLE.com\n", "ann.lee+x@example.com"),
        ("ann@XN--mller-kva.example", "ann@xn--mller-kva.example"),
    ],
)
def test_an_address_is_kept_in_small_letters(typed: str, kept: str) -> None:
    assert canonical_email(typed) == clean_email(typed, pointer="/email") == kept
    assert canonical_email(kept) == kept


@pytest.mark.parametrize("sign", ["ſ", "ı", "İ", "\u212a", "ß", "ü", "ａ", "\u200b", "。"])
def test_an_address_with_another_sign_has_no_such_form(sign: str) -> None:
    for address in (f"a{sign}n@example.com", f"ann@ex{sign}mple.com"):
        with pytest.raises(ValidationError):
            canonical_email(address)
        with pytest.raises(InvalidValue) as refused:
            clean_email(address, pointer="/email")
        assert refused.value.pointer == "/email"


@pytest.mark.parametrize("address", ["", "ann", "ann@", "a b@example.com", "a" * 250 + "@example.com"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidValue):
        clean_email(address, pointer="/email")


@pytest.mark.parametrize(
    ("typed", "text"),
    [("  mia  moreau ", "mia moreau"), ("a\x00b\nc\td", "a b c d"), ("x" * 101, "x" * 100), ("\x00", "")],
)
def test_what_is_searched_for_is_one_line_that_the_database_can_read(typed: str, text: str) -> None:
    assert searched(typed) == text
