"""What people type about their invoices: what is printed on them, and who gets the mails."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from babel import Locale
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import get_language, gettext, to_locale
from django.utils.translation import gettext_lazy as _

from billing.stripe_api import InvoiceDetails
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.text import clean_name

# What CLDR names by two letters and is no country that a letter is sent to.
NO_COUNTRY = frozenset({"EU", "EZ", "UN", "ZZ", "QO", "XA", "XB", "CP", "CQ", "DG", "EA", "IC"})


@cache
def _countries(language: str) -> tuple[tuple[str, str], ...]:
    names = Locale.parse(to_locale(language)).territories
    found = [(code, name) for code, name in names.items() if len(code) == 2 and code.isalpha()]
    return tuple(sorted((pair for pair in found if pair[0] not in NO_COUNTRY), key=lambda pair: pair[1]))


def country_choices() -> Iterator[tuple[str, str]]:
    """Code and name of every country in the reader's language, by name; first that none is chosen."""
    yield "", gettext("Choose a country")
    yield from _countries(get_language() or "en")


class _LineField(forms.CharField):
    """As a name: it stands on invoices, in one line, and nothing in it is hidden."""

    def clean(self, value: Any) -> str:
        try:
            return clean_name(super().clean(value), pointer="", limit=self.max_length or 0, required=False)
        except InvalidValue as refusal:
            raise ValidationError(refusal.detail) from refusal


def _text(label: Any, fills: str, *, most: int, help_text: Any = "") -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": fills} if fills else {})
    return _LineField(label=label, max_length=most, required=False, widget=widget, help_text=help_text)


class InvoiceDetailsForm(forms.Form):
    """All may be left empty: then an invoice says no more than the Team's name and the Owner's address."""

    # Two of these fit beside each other.
    half_wide = ("postal_code", "city", "state", "country", "tax_id", "purchase_order")

    name = _text(_("Company, or your name"), "organization", most=150)
    line1 = _text(_("Address"), "address-line1", most=200)
    line2 = _text(_("Address, second line"), "address-line2", most=200)
    postal_code = _text(_("Postal code"), "postal-code", most=20)
    city = _text(_("City"), "address-level2", most=100)
    state = _text(_("State or province"), "address-level1", most=100)
    country = forms.ChoiceField(
        label=_("Country"),
        required=False,
        choices=country_choices,
        widget=forms.Select(attrs={"autocomplete": "country"}),
    )
    tax_id = _text(
        _("Tax id"), "", most=50, help_text=_("Such as DE123456789. It belongs to the country above.")
    )
    purchase_order = _text(_("Purchase order number"), "", most=140)
    email = forms.EmailField(
        label=_("Invoices are sent to"),
        max_length=254,
        required=False,
        help_text=_("Left empty: to the Owner's address."),
    )

    # The mark of what was shown: whoever saves later does not undo unseen what somebody has saved meanwhile.
    shown = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)

    def details(self) -> InvoiceDetails:
        typed = {name: value for name, value in self.cleaned_data.items() if name != "shown"}
        return InvoiceDetails(**typed)


class ContactsForm(forms.Form):
    """Addresses, a line each, or with commas between them."""

    contacts = forms.CharField(
        label=_("Addresses"),
        required=False,
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=_("One a line. They get the mails about payments, and need no account."),
    )

    def clean_contacts(self) -> list[str]:
        typed = self.cleaned_data["contacts"].replace(",", "\n").split("\n")
        emails = [text.strip() for text in typed if text.strip()]
        wrong = [email for email in emails if not _is_email(email)]
        if wrong:
            refused = gettext("This is no e-mail address: %(texts)s")
            raise ValidationError(refused % {"texts": ", ".join(wrong)})
        return emails


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
