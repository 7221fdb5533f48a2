"""A Team's invitations, and what becomes of lines that ask for more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import models
from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from quota.invitation_lines import Line
from quota.models import Plan
from quota.selectors.member_requests import open_requests, plan_names
from quota.selectors.seats import plan_counts
from teams.models import Invitation, Membership, Team
from teams.permissions import with_inviters
from teams.querysets import InvitationQuerySet


class Shown(models.TextChoices):
    """Which invitations a list shows. But for the first, each is a state that an invitation is in."""

    OPEN = "", _lazy("All open")
    VALID = "valid", _lazy("Can be accepted")
    EXPIRED = "expired", _lazy("Expired")
    VOID = "void", _lazy("No longer works")
    ACCEPTED = "accepted", _lazy("Accepted")
    REVOKED = "revoked", _lazy("Revoked")


@dataclass(frozen=True, slots=True)
class PeopleCounts:
    """What stands on the tabs of People."""

    members: int
    invited: int
    requests: int


@dataclass(frozen=True, slots=True)
class PromisedSeats:
    """Of a plan: how many seats are promised, open invitations included, and how many are free."""

    plan: str
    promised: int
    free: int

    @property
    def missing(self) -> int:
        return max(0, self.promised - self.free)


def people_counts(team: Team) -> PeopleCounts:
    """As of now."""
    return PeopleCounts(
        Membership.objects.for_team(team).live().count(),
        Invitation.objects.for_team(team).open().count(),
        open_requests(team),
    )


def invitations_found(
    team: Team, at: datetime, *, search: str = "", shown: str = Shown.OPEN
) -> InvitationQuerySet:
    """The invitations with this text in the address that are `shown`, the last one sent first, with who
    invited, and whether they still may. What is no `Shown` is those that are open.
    """
    rows = with_inviters(Invitation.objects.for_team(team)).select_related("invited_by")
    match shown:
        case Shown.ACCEPTED:
            rows = rows.exclude(accepted_at=None)
        case Shown.REVOKED:
            rows = rows.exclude(revoked_at=None)
        case Shown.VOID:
            rows = rows.open().filter(Q(inviter_may=False))
        case Shown.EXPIRED:
            rows = rows.open().filter(Q(inviter_may=True), expires_at__lte=at)
        case Shown.VALID:
            rows = rows.open().filter(Q(inviter_may=True), expires_at__gt=at)
        case _:
            rows = rows.open()
    if search:
        rows = rows.filter(email__contains=search.lower())
    return rows.order_by("-sent_at", "pk")


def state_of(invitation: Invitation, at: datetime) -> Shown:
    """Of one that was found."""
    if invitation.accepted_at:
        return Shown.ACCEPTED
    if invitation.revoked_at:
        return Shown.REVOKED
    if not getattr(invitation, "inviter_may", False):
        return Shown.VOID
    return Shown.EXPIRED if invitation.expires_at <= at else Shown.VALID


def plans_to_promise() -> dict[str, str]:
    """Plans on sale: names by code, the smallest first."""
    return dict(Plan.objects.sellable().order_by("rank").values_list("code", "name"))


def problems_of(team: Team, lines: Iterable[Line]) -> dict[int, str]:
    """Why lines that are sound will be refused all the same, by their number."""
    emails = {line.email: line.number for line in lines if not line.problem}
    open_ones = Invitation.objects.for_team(team).open().filter(email__in=emails)
    found = {
        emails[email]: _("Is invited already: send that invitation again, or revoke it.")
        for email in open_ones.values_list("email", flat=True)
    }
    members = Membership.objects.for_team(team).live().values("user")
    joined = EmailAddress.objects.filter(email__in=emails, verified=True, user__in=members)
    for email in joined.values_list("email", flat=True):
        found[emails[email]] = _("Is a member of this Team already.")
    return found


def promised_seats(team: Team, at: datetime, more: Iterable[str] = ()) -> list[PromisedSeats]:
    """By plan, with `more` plans, by code, that are about to be promised."""
    asked = Counter(code for code in more if code)
    promising = Invitation.objects.for_team(team).open().exclude(seat_plan_code="").filter(expires_at__gt=at)
    for row in promising.values("seat_plan_code").annotate(count=Count("pk")).order_by():
        asked[row["seat_plan_code"]] += row["count"]
    free = {count.code: count.free for count in plan_counts(team, at)}
    names = plan_names()
    return [PromisedSeats(names.get(code, code), count, free.get(code, 0)) for code, count in asked.items()]
