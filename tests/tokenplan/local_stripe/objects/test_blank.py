"""New objects begin as the blank ones of their kind, and never change them."""

import pytest

from tokenplan.local_stripe.objects.blank import BLANK_OBJECTS, blank


def test_a_new_object_has_the_fields_it_is_given_and_those_of_the_blank_one() -> None:
    charge = blank("charge", amount=500)
    assert (charge["object"], charge["amount"], charge["refunded"]) == ("charge", 500, False)


def test_of_a_field_that_is_an_object_only_what_is_given_is_replaced() -> None:
    customer = blank("customer", invoice_settings={"footer": "Thank you"})
    assert customer["invoice_settings"] == {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": "Thank you",
        "rendering_options": None,
    }


def test_a_changed_object_leaves_the_next_one_blank() -> None:
    blank("customer")["invoice_settings"]["footer"] = "Thank you"
    blank("customer")["preferred_locales"].append("en")
    assert blank("customer") == BLANK_OBJECTS["customer"]
    assert blank("customer")["invoice_settings"]["footer"] is None


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        blank("moon")
