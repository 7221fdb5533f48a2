"""What operators give: seats and Credits to Teams, plans to seats, by the services that a purchase calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.contrib import admin

from quota.admin.forms import CreditsGrantForm, EntitlementForm, ReasonlessForm, SeatGrantForm
from quota.models import Entitlement
from quota.money import credits_text
from quota.services import entitlements
from quota.services.credits import grant_credits
from teams.admin import SeatAdmin, TeamAdmin
from teams.models import Seat, Team, User
from teams.services import seats
from tokenplan.kit.admin import ReadOnlyInline, Verb, VerbsAdmin
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def _grant_seat(team: Team, values: Mapping[str, Any], by: User, at: datetime) -> str:
    source = f"operator: {values['reason']}"
    seat = entitlements.grant_seat(
        team=team, plan=values["plan"], ends_at=values["ends_at"], source=source, at=at, by=by
    )
    if values["holder"] is None:
        return f"{team} has {seat}, {values['plan'].name}. Nobody holds it yet."
    seats.assign_seat(seat=seat, membership=values["holder"], by=by, at=at)
    return f"{seat}, {values['plan'].name}, is held by {values['holder'].user}."


def _grant_credits(team: Team, values: Mapping[str, Any], by: User, at: datetime) -> str:
    # Two grants for the same reason are two lots; a source is used once.
    source = f"operator {uuid4().hex[:12]}: {values['reason']}"
    lot = grant_credits(
        team=team,
        nanousd=values["credits"],
        source=source,
        expires_at=values["expires_at"],
        at=at,
        by=by,
    )
    return f"{team} has {credits_text(lot.amount_nanousd)} Credits more, until {lot.expires_at:%Y-%m-%d}."


def _entitle(seat: Seat, values: Mapping[str, Any], by: User, at: datetime) -> str:
    entitlements.entitle_seat(
        seat=seat,
        plan=values["plan"],
        starts_at=at,
        ends_at=values["ends_at"],
        source=f"operator: {values['reason']}",
        at=at,
        by=by,
    )
    return f"{seat} has {values['plan']} from now on. Its usage stays."


def _suspend(seat: Seat, values: Mapping[str, Any], by: User, at: datetime) -> str:
    entitlements.suspend_seat(seat=seat, at=at, by=by)
    return f"{seat} is suspended. Its usage falls to Credits."


def _resume(seat: Seat, values: Mapping[str, Any], by: User, at: datetime) -> str:
    entitlements.resume_seat(seat=seat, at=at, by=by)
    return f"{seat} works again."


def _withdraw(seat: Seat, values: Mapping[str, Any], by: User, at: datetime) -> str:
    entitlements.withdraw_seat(seat=seat, at=at, by=by)
    return f"{seat} is withdrawn."


class GrantingTeamAdmin(TeamAdmin):
    """A Team, with what an operator can give it."""

    verbs = (
        *TeamAdmin.verbs,
        Verb("grant-seat", "Grant a seat", SeatGrantForm, _grant_seat),
        Verb("grant-credits", "Grant Credits", CreditsGrantForm, _grant_credits),
    )


class EntitlementInline(ReadOnlyInline):
    """The plans that a seat has and had."""

    model = Entitlement
    fields = ("plan", "starts_at", "ends_at", "superseded_at", "suspended_at", "source")
    ordering = ("-starts_at", "-id")


class EntitlingSeatAdmin(VerbsAdmin[Seat], SeatAdmin):
    """A seat, with what it is entitled to."""

    inlines = (EntitlementInline, *SeatAdmin.inlines)  # type: ignore[assignment]  # one more than the base has
    verbs = (
        Verb("entitle", "Give another plan or end", EntitlementForm, _entitle),
        Verb("suspend", "Suspend", ReasonlessForm, _suspend),
        Verb("resume", "Resume", ReasonlessForm, _resume),
        Verb("withdraw", "Withdraw", ReasonlessForm, _withdraw),
    )


# The ground floor's pages of these rows, and what this floor adds to them.
admin.site.unregister([Team, Seat])
admin.site.register(Team, GrantingTeamAdmin)
admin.site.register(Seat, EntitlingSeatAdmin)
