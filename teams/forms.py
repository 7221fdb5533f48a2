"""What people type on the ground floor's pages. Services decide; forms only read and remember."""

from __future__ import annotations

from django import forms

from teams.models import Role

INVITED_ROLES = [(Role.MEMBER.value, "Member"), (Role.ADMIN.value, "Admin")]


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(label="Role", choices=INVITED_ROLES)


class TeamNameForm(forms.Form):
    name = forms.CharField(label="Name of the Team", max_length=100)
