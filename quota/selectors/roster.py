"""Who is in a Team, with seat, key and access to Credits. For pages and the API alike.

The number of queries does not grow with the Team.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Case, Exists, Max, OuterRef, When
from django.utils.translation import gettext_lazy as _

from quota.hot_path.catalog import PlanTerms, plan_terms
from quota.models import CreditAccess, CreditMonth, Entitlement
from quota.models.months import month_of
from quota.selectors.asked_of_one_team import Calls, last_charge
from quota.selectors.seat_use import idle_holdings, near_limit
from quota.selectors.stopped import owing, without_seat
from teams.models import Membership, Role, SeatHolding, SubscriptionKey, Team
from teams.querysets import MembershipQuerySet

# When a member was last charged for a call with the Subscription Key.
_LAST_BY_KEY = last_charge("pk", Calls.WITH_THE_KEY)
ORDER = {Role.OWNER.value: 0, Role.ADMIN.value: 1, Role.MEMBER.value: 2}


class Shown(models.TextChoices):
    """Which members a list shows."""

    EVERYONE = "", _("Everyone")
    MANAGERS = "managers", _("Owner and Admins")
    ON_A_SEAT = "seat", _("On a seat")
    WITHOUT_A_SEAT = "no-seat", _("Without a seat")
    NEAR_LIMIT = "near", _("Near a limit")
    OWING = "owing", _("Stopped by what they owe")
    REFUSED = "refused", _("Refused for want of a seat")
    IDLE = "idle", _("Seat not used for 14 days")
    UNUSED_KEY = "unused", _("Whose key was never used")


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A live member.

    `plan` is that of the seat held now, None without a seat that works; `key` is the current text's row,
    revoked or not; `used_at` is when the key was last used, in any of its texts, or None where it never was;
    `month_used` is in nano-dollars, of the calendar month in UTC.
    """

    membership: Membership
    seat_id: int | None
    seat_number: int | None
    plan: PlanTerms | None
    key: SubscriptionKey | None
    used_at: datetime | None
    access: CreditAccess
    month_used: int


def roster(team: Team, at: datetime) -> list[RosterRow]:
    """The live members: Owner, Admins, Members, each by e-mail address."""
    return rows_of(list(members_of(team, at)), at)


def members_of(
    team: Team, at: datetime, *, search: str = "", shown: str = Shown.EVERYONE
) -> MembershipQuerySet:
    """The live members in the order of `roster`, with their users: those whose name or address has `search`
    in it, in any case, and of these the ones that are `shown`. What is no `Shown` is everyone.
    """
    members = Membership.objects.for_team(team).live().select_related("user", "team")
    if search:
        members = members.named_like(search)
    members = _shown(members, team, at, shown)
    rank = Case(*(When(role=role, then=place) for role, place in ORDER.items()), default=len(ORDER))
    return members.order_by(rank, "user__email", "pk")


def _shown(members: MembershipQuerySet, team: Team, at: datetime, shown: str) -> MembershipQuerySet:
    holdings = SeatHolding.objects.current().filter(membership=OuterRef("pk"))
    used = SubscriptionKey.objects.filter(membership=OuterRef("pk"), last_used_at__isnull=False)
    match shown:
        case Shown.MANAGERS:
            members = members.managers()
        case Shown.ON_A_SEAT:
            members = members.filter(Exists(holdings))
        case Shown.WITHOUT_A_SEAT:
            members = members.filter(~Exists(holdings))
        case Shown.NEAR_LIMIT:
            members = members.filter(pk__in=[bar.membership.pk for bar in near_limit(team, at)])
        case Shown.OWING:
            members = members.filter(pk__in=owing(team).values("pk"))
        case Shown.REFUSED:
            members = members.filter(pk__in=[member.pk for member in without_seat(team, at)])
        case Shown.IDLE:
            members = members.filter(Exists(idle_holdings(team, at).filter(membership=OuterRef("pk"))))
        case Shown.UNUSED_KEY:
            members = members.filter(~Exists(used)).alias(last=_LAST_BY_KEY).filter(last=None)
    return members


def rows_of(members: Sequence[Membership], at: datetime) -> list[RosterRow]:
    """These live members, in their order."""
    holdings = SeatHolding.objects.filter(membership__in=members).at(at).select_related("seat")
    held = {holding.membership_id: holding.seat for holding in holdings}
    working = Entitlement.objects.filter(seat__in=held.values()).working(at)
    plans = {row.seat_id: plan_terms(row.plan_id) for row in working}
    keys = {
        row.membership_id: row for row in SubscriptionKey.objects.current().filter(membership__in=members)
    }
    used_at = _used_at(members)
    accesses = CreditAccess.objects.of(members)
    used = dict(
        CreditMonth.objects.filter(membership__in=members, month=month_of(at)).values_list(
            "membership_id", "used_nanousd"
        )
    )
    return [
        RosterRow(
            membership=member,
            seat_id=held[member.pk].pk if member.pk in held else None,
            seat_number=held[member.pk].number if member.pk in held else None,
            plan=plans.get(held[member.pk].pk) if member.pk in held else None,
            key=keys.get(member.pk),
            used_at=used_at.get(member.pk),
            access=accesses[member.pk],
            month_used=used.get(member.pk, 0),
        )
        for member in members
    ]


def _used_at(members: Sequence[Membership]) -> dict[int, datetime]:
    """When their keys were last used, by membership id, of those whose were."""
    texts = SubscriptionKey.objects.filter(membership__in=members, last_used_at__isnull=False)
    found = dict(texts.order_by().values_list("membership").annotate(Max("last_used_at")))
    # Usage that was reported in bulk leaves no mark on the key.
    unmarked = Membership.objects.filter(pk__in=[row.pk for row in members if row.pk not in found])
    last = dict(unmarked.annotate(last=_LAST_BY_KEY).values_list("pk", "last"))
    return found | {pk: moment for pk, moment in last.items() if moment}
