"""Fields and forms that several verbs of operators ask with."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.forms import DateTimeField, DateTimeInput
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from quota import forms
from quota.money import MAX_NANOUSD, usd_text

UNTIL = _("In UTC. Empty: until further notice.")


class MomentField(DateTimeField):
    """A date and time in UTC that may be left out."""

    def __init__(self, **kwargs: Any) -> None:
        widget = DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(**{"required": False, "widget": widget, **kwargs})


class UsdField(forms.UsdField):
    """A dollar amount that is not negative."""

    def read(self, text: str) -> int:
        nanousd = super().read(text)
        if not 0 <= nanousd <= MAX_NANOUSD:
            raise ValidationError(
                gettext("Give an amount from nothing to %(most)s.") % {"most": usd_text(MAX_NANOUSD)}
            )
        return nanousd
