"""How far a bulk action has come, and what became of its lines."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import gettext_noop

from quota.models import BulkAction, BulkLine
from teams.models import Membership, Team
from tokenplan.kit.errors import NotFound
from tokenplan.kit.stored_texts import Pattern, said_again

# As `quota/services/members.py`, `quota/invitation_lines.py`, and what refuses there, write them.
PATTERNS: list[Pattern] = [
    (gettext_noop("Holds %(seat)s now."), ""),
    (gettext_noop("%(seat)s is free now."), ""),
    (gettext_noop("Seat %(number)s"), ""),
    (gettext_noop("To %(action)s, you need to be %(roles)s of this Team. Ask %(names)s."), ""),
    (
        gettext_noop(
            "This Team has sent %(most)s invitations in 24 hours, and cannot send more until later."
        ),
        "",
    ),
    (
        gettext_noop(
            "Without a seat, a Team and a person send at most %(most)s invitations in 24 hours."
            " Buy a seat, or wait."
        ),
        "",
    ),
    (
        gettext_noop(
            "%(most)s invitations went to this address in 24 hours. Ask the person to look for them."
        ),
        "",
    ),
    (gettext_noop("This address stands in line %(number)s already."), ""),
    (
        gettext_noop(
            "“%(part)s” is neither a role (admin, member) nor a plan (%(plans)s) nor a number of Credits."
        ),
        "",
    ),
    (gettext_noop("“%(part)s”: give a number of Credits such as 5000, without commas."), ""),
    (gettext_noop("“%(part)s” is more Credits than there can be."), ""),
]


class Shown(models.TextChoices):
    """Which lines a list shows."""

    ALL = "", _lazy("All lines")
    DONE = "done", _lazy("Done")
    REFUSED = "refused", _lazy("Refused")
    LEFT = "left", _lazy("Not tried")


@dataclass(frozen=True, slots=True)
class Progress:
    """In lines. `left` are not worked: to be worked, or left out since it was stopped."""

    done: int
    refused: int
    left: int

    @property
    def total(self) -> int:
        return self.done + self.refused + self.left

    @property
    def percent(self) -> int:
        """Rounded down: 100 only when all are worked."""
        return (self.done + self.refused) * 100 // self.total if self.total else 100


@dataclass(frozen=True, slots=True)
class Result:
    """`name` is whom a line is about; `email` is "" where an invitation has no address that can be read;
    `done` is None for one that is not worked.
    """

    place: int
    name: str
    email: str
    done: bool | None
    text: str


def bulk_action_of(team: Team, pk: int) -> BulkAction:
    """The Team's, or NotFound."""
    action = BulkAction.objects.for_team(team).filter(pk=pk).select_related("by", "stopped_by").first()
    if action is None:
        raise NotFound(_("This bulk action does not exist."))
    return action


def progress_of(action: BulkAction) -> Progress:
    counts = action.lines.aggregate(
        yes=Count("pk", filter=Q(done=True)),
        no=Count("pk", filter=Q(done=False)),
        not_yet=Count("pk", filter=Q(done=None)),
    )
    return Progress(done=counts["yes"], refused=counts["no"], left=counts["not_yet"])


def lines_of(action: BulkAction, *, search: str = "", shown: str = Shown.ALL) -> QuerySet[BulkLine]:
    """In their order: those about somebody with this text in name or address, or in what was typed, in any
    case, and of these the ones that are `shown`. What is no `Shown` is all of them.
    """
    lines = action.lines.select_related("membership__user").order_by("place")
    if search:
        about = Membership.objects.for_team(action.team).named_like(search).values("pk")
        lines = lines.filter(Q(membership__in=about) | Q(asked__text__icontains=search))
    match shown:
        case Shown.DONE:
            lines = lines.filter(done=True)
        case Shown.REFUSED:
            lines = lines.filter(done=False)
        case Shown.LEFT:
            lines = lines.filter(done=None)
    return lines


def result_of(line: BulkLine) -> Result:
    """In the reader's words."""
    asked = line.asked or {}
    email = line.membership.user.email if line.membership else asked["email"]
    name = line.membership.user.display_name if line.membership else email or asked["text"]
    return Result(line.place, name, email, line.done, said_again(line.text, PATTERNS))
