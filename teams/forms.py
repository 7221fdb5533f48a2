"""The forms of the pages about people and Teams. Services decide; a form only reads and shows again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from teams.models import PersonalAccessToken, Team
from teams.services.access_tokens import LONGEST_DAYS
from teams.services.keys import DEFAULT_OVERLAP
from teams.time_zones import offered_names
from tokenplan.kit.pages import FilterForm, SearchField


class TeamNameForm(forms.Form):
    name = forms.CharField(label=_("Name of the Team"), max_length=100)


class HandOverForm(forms.Form):
    """Whom an operator makes the Owner of a Team."""

    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        help_text=_("Of the new Owner: a member, or anybody with an account."),
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("Both Owners read it, and it goes into the audit log.")
    )

    def __init__(self, team: Team, data: Any) -> None:
        super().__init__(data)


class ProfileForm(forms.Form):
    name = forms.CharField(
        label=_("Display name"),
        max_length=100,
        required=False,
        help_text=_("What the members of your Teams see. If it is empty, they see your e-mail address."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [(name, name.replace("_", " ")) for name in offered_names()],
        help_text=_("Pages and mails show you times in it. Weekly windows and months are counted in UTC."),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=lambda: [("", _("As the browser asks")), *settings.LANGUAGES],
        help_text=_("Of the pages you see and the mails you get."),
    )


class AccessTokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("What the token is for."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scope = forms.ChoiceField(
        label=_("Scope"),
        choices=[
            (
                PersonalAccessToken.Scope.READ.value,
                _("Read: see what you may see, change nothing"),
            ),
            (PersonalAccessToken.Scope.MANAGE.value, _("Manage: also change what you may change")),
        ],
        initial=PersonalAccessToken.Scope.READ.value,
        widget=forms.RadioSelect,
    )
    expires_in_days = forms.IntegerField(
        label=_("Days until it expires"),
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=90,
        help_text=format_lazy(_("From 1 to {days}."), days=LONGEST_DAYS),
    )


class TokensFilterForm(FilterForm):
    """Which of one's access tokens are shown. Nothing of a token's text is asked for: what is searched for
    stands in addresses.
    """

    q = SearchField(label=_("Name"))
    state = forms.ChoiceField(
        label=_("State"), choices=[("", _("All")), *PersonalAccessToken.State.choices], required=False
    )


class RotateForm(forms.Form):
    OVERLAPS = [("0", _("Not at all")), ("3600", _("1 hour")), ("86400", _("24 hours"))]

    overlap = forms.TypedChoiceField(
        label=_("How long the old key still works"),
        choices=OVERLAPS,
        coerce=int,
        widget=forms.RadioSelect,
        initial=str(int(DEFAULT_OVERLAP.total_seconds())),
        help_text=_("If somebody else has seen the key, choose “Not at all”."),
    )
