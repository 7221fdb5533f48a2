"""What people type on the ground floor's pages. Services decide; forms only read and remember."""

from __future__ import annotations

from django import forms

from teams.models import PersonalAccessToken, Role
from teams.services.access_tokens import LONGEST_DAYS

INVITED_ROLES = [(Role.MEMBER.value, "Member"), (Role.ADMIN.value, "Admin")]


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label="Role", choices=INVITED_ROLES)


class TeamNameForm(forms.Form):
    name = forms.CharField(label="Name of the Team", max_length=100)


class ProfileForm(forms.Form):
    name = forms.CharField(
        label="Display name",
        max_length=100,
        required=False,
        help_text="What the members of your Teams see. Empty: your e-mail address.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


class AccessTokenForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=100,
        help_text="What the token is for.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scope = forms.ChoiceField(
        label="Scope",
        choices=[
            (PersonalAccessToken.Scope.READ.value, "Read: look, change nothing"),
            (PersonalAccessToken.Scope.MANAGE.value, "Manage: change whatever you may"),
        ],
        initial=PersonalAccessToken.Scope.READ.value,
        widget=forms.RadioSelect,
    )
    expires_in_days = forms.IntegerField(
        label="Days until it expires",
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=90,
        help_text=f"From 1 to {LONGEST_DAYS}.",
    )


class RotateForm(forms.Form):
    OVERLAPS = [("0", "Not at all"), ("3600", "1 hour"), ("86400", "24 hours")]

    overlap = forms.TypedChoiceField(
        label="The old key goes on working for",
        choices=OVERLAPS,
        coerce=int,
        widget=forms.RadioSelect,
        initial="0",
    )
