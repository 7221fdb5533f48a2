"""Fields and forms that several verbs of operators ask with."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota.money import MAX_NANOUSD, nanousd_from_usd, usd_text

UNTIL = _("In UTC. Empty: until further notice.")


class MomentField(forms.DateTimeField):
    """A date and time in UTC that may be left out."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"})
        super().__init__(required=False, widget=widget, **kwargs)


class UsdField(forms.CharField):
    """A dollar amount; cleaned, it is nano-dollars, or None when empty and not required."""

    def clean(self, value: object) -> int | None:
        text = super().clean(value).replace(",", "").replace("$", "")
        if not text:
            return None
        try:
            nanousd = nanousd_from_usd(text)
        except ValueError:
            raise forms.ValidationError(
                gettext("Give an amount in dollars with at most 9 decimals.")
            ) from None
        if not 0 <= nanousd <= MAX_NANOUSD:
            raise forms.ValidationError(
                gettext("Give an amount from nothing to %(most)s.") % {"most": usd_text(MAX_NANOUSD)}
            )
        return nanousd


class ReasonlessForm(forms.Form):
    """Asks for nothing but a confirmation."""

    def __init__(self, row: Any, data: Any) -> None:
        super().__init__(data)
