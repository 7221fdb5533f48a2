"""One verb for many members of a Team: each by a transaction of its own, with an outcome for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db.models import TextChoices
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from quota.services.credits import allow_credits, stop_credits
from quota.services.outcomes import outcome_of
from quota.services.seats import give_seat_of_plan
from teams.errors import SeatNotHeld
from teams.models import Membership, Role, User
from teams.permissions import Right, require_now
from teams.services import memberships, seats
from tokenplan.kit.errors import InvalidValue


class Verb(TextChoices):
    """What can be done to many members at once."""

    GIVE_SEAT = "give-seat", _("Give a seat")
    TAKE_SEAT = "take-seat", _("Free the seat")
    ALLOW_CREDITS = "allow-credits", _("Allow Credits")
    STOP_CREDITS = "stop-credits", _("Stop Credits")
    MAKE_ADMIN = "make-admin", _("Make Admin")
    MAKE_MEMBER = "make-member", _("Make Member")
    REMOVE = "remove", _("Remove from the Team")

    @property
    def right(self) -> Right:
        """What somebody needs for it."""
        return _RIGHTS[self]

    def said_of(self, people: int) -> str:
        """The verb and for how many, as the button that does it says."""
        match self:
            case Verb.GIVE_SEAT:
                text = ngettext("Give one person a seat", "Give %(people)s people a seat", people)
            case Verb.TAKE_SEAT:
                text = ngettext("Free the seat of one person", "Free the seats of %(people)s people", people)
            case Verb.ALLOW_CREDITS:
                text = ngettext("Allow Credits for one person", "Allow Credits for %(people)s people", people)
            case Verb.STOP_CREDITS:
                text = ngettext("Stop Credits for one person", "Stop Credits for %(people)s people", people)
            case Verb.MAKE_ADMIN:
                text = ngettext("Make one person Admin", "Make %(people)s people Admins", people)
            case Verb.MAKE_MEMBER:
                text = ngettext("Make one person Member", "Make %(people)s people Members", people)
            case Verb.REMOVE:
                text = ngettext("Remove one person", "Remove %(people)s people", people)
        return text % {"people": people}


_RIGHTS = {
    Verb.GIVE_SEAT: Right.ASSIGN_SEAT,
    Verb.TAKE_SEAT: Right.ASSIGN_SEAT,
    Verb.ALLOW_CREDITS: Right.SWITCH_CREDITS,
    Verb.STOP_CREDITS: Right.SWITCH_CREDITS,
    Verb.MAKE_ADMIN: Right.CHANGE_ROLE,
    Verb.MAKE_MEMBER: Right.CHANGE_ROLE,
    Verb.REMOVE: Right.REMOVE_MEMBER,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one member: `text` says it, or why it was refused."""

    member: Membership
    done: bool
    text: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a verb needs: the plan of the seats that are given, the cap of Credits (None: no cap)."""

    plan_code: str = ""
    month_cap_nanousd: int | None = None


def act_on_each(
    *, verb: Verb, members: Iterable[Membership], terms: Terms, by: User, at: datetime
) -> list[Outcome]:
    """In the order of the members. What is refused for one, or fails, changes nothing for that one and stops
    no other; only an outage of the database ends it all. Whether `by` may is asked for each: who loses the
    right meanwhile is refused from then on.
    """
    outcomes = []
    for member in members:
        act = partial(act_on, verb=verb, member=member, terms=terms, by=by, at=at)
        done, text = outcome_of(act, about=f"{verb} for membership {member.pk}")
        outcomes.append(Outcome(member, done, text))
    return outcomes


def act_on(*, verb: Verb, member: Membership, terms: Terms, by: User, at: datetime) -> str:
    """Does it, if `by` may now, and says what was done. Raises the refusals of the services."""
    require_now(by, member.team, verb.right)
    match verb:
        case Verb.GIVE_SEAT:
            seat = give_seat_of_plan(membership=member, plan_code=terms.plan_code, by=by, at=at)
            return gettext("Holds %(seat)s now.") % {"seat": seat}
        case Verb.TAKE_SEAT:
            holding = member.holdings.current().select_related("seat").first()
            if holding is None:
                raise SeatNotHeld(gettext("Holds no seat."))
            seats.free_seat(seat=holding.seat, held_by=member, by=by, at=at)
            return gettext("%(seat)s is free now.") % {"seat": holding.seat}
        case Verb.ALLOW_CREDITS:
            allow_credits(membership=member, month_cap_nanousd=terms.month_cap_nanousd, by=by, at=at)
            return gettext("May use Credits now.")
        case Verb.STOP_CREDITS:
            stop_credits(membership=member, by=by, at=at)
            return gettext("May not use Credits any more.")
        case Verb.MAKE_ADMIN | Verb.MAKE_MEMBER:
            role = Role.ADMIN if verb is Verb.MAKE_ADMIN else Role.MEMBER
            memberships.change_role(membership=member, role=role, by=by, at=at)
            return gettext("Is an Admin now.") if role is Role.ADMIN else gettext("Is a Member now.")
        case Verb.REMOVE:
            if member.user_id == by.pk:
                raise InvalidValue(gettext("This is you: leave the Team on its Overview."))
            memberships.end_membership(membership=member, by=by, at=at)
            return gettext("Is no longer a member. The key stopped working.")


def counted(outcomes: Iterable[Outcome]) -> str:
    """How many were done, and how many refused, in words."""
    results = [outcome.done for outcome in outcomes]
    done, refused = results.count(True), results.count(False)
    text = ngettext("Done for %(count)s person.", "Done for %(count)s people.", done) % {"count": done}
    if refused:
        text += " " + ngettext("%(count)s was refused.", "%(count)s were refused.", refused) % {
            "count": refused
        }
    return text
