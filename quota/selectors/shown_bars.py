"""Usage bars as pages show them: with what a person asks next, read for many bars at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Min, Q, Sum

from quota.models import CreditAccess, CreditGrant, CreditRequest, SeatRequest, UsageEvent
from quota.selectors.asked_of_one_team import Calls, last_charge
from quota.selectors.usage_bar import UsageBar, usage_bars
from teams.models import Membership
from teams.permissions import Right, may

# As long as the longest usual window: earlier calls are not asked for.
LONGEST = timedelta(days=7)
# Whoever gets room again so soon had best wait.
SOON = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class OnCredits:
    """Since when Credits have had a part in every call, and what they have paid since, in nano-dollars."""

    since: datetime
    nanousd: int


@dataclass(frozen=True, slots=True)
class NextExpiry:
    """The lot of the Team's Credits that expires first: what is left in it, in nano-dollars, and when."""

    nanousd: int
    at: datetime


@dataclass(frozen=True, slots=True)
class WaysOut:
    """What the member can do when calls are refused. `has_all`: no access to Credits is left to ask for;
    `own_cap`: the cap that holds is the member's own.
    """

    asked_for_seat: bool = False
    asked_for_credits: bool = False
    has_all: bool = False
    own_cap: bool = False
    makes_api_keys: bool = False


@dataclass(frozen=True, slots=True)
class ShownBar:
    """A bar and what is said beside it. `on_credits` only while a window is full and Credits pay; `expiry`
    and `ways` only where it says something; `owner`: who pays and is asked, where that is another person.
    `mine`: it is shown to the member whose bar it is.
    """

    bar: UsageBar
    mine: bool = True
    on_credits: OnCredits | None = None
    expiry: NextExpiry | None = None
    owner: Membership | None = None
    ways: WaysOut = field(default_factory=WaysOut)

    @property
    def state(self) -> str:
        """The state of the whole bar: suspended, credits_only, nothing, owed, stopped, on_credits or open."""
        bar = self.bar
        if bar.owed:
            return "owed"
        if bar.plan is None:
            return self._without_a_plan()
        if bar.room_at is None:
            return "open"
        return "on_credits" if bar.usable else "stopped"

    def _without_a_plan(self) -> str:
        if self.bar.suspended:
            return "suspended"
        pool = self.bar.credits
        return "credits_only" if pool.access and pool.balance > 0 else "nothing"

    @property
    def best_to_wait(self) -> bool:
        """Room comes so soon that no other way is quicker."""
        return self.bar.room_at is not None and self.bar.room_at - self.bar.at <= SOON


def shown_bars(
    memberships: Sequence[Membership], at: datetime, *, viewer_id: int, all_ways: bool = False
) -> list[ShownBar]:
    """The bars of live memberships, with their Team and user, in their order, as this user sees them;
    `all_ways`: with the ways out also of those whose calls are not refused.

    The number of statements does not grow with the number of bars, and where all is well it is one.
    """
    return shown_of(usage_bars(memberships, at), at, viewer_id=viewer_id, all_ways=all_ways)


def shown_of(
    read: Sequence[UsageBar], at: datetime, *, viewer_id: int, all_ways: bool = False
) -> list[ShownBar]:
    """The same of bars that have been read."""
    bars = [ShownBar(bar, mine=bar.membership.user_id == viewer_id) for bar in read]
    by_state: dict[str, list[Membership]] = {}
    for shown in bars:
        by_state.setdefault(shown.state, []).append(shown.bar.membership)
    helpless = [m for state in ("stopped", "nothing", "suspended", "owed") for m in by_state.get(state, ())]
    credited = _on_credits(by_state.get("on_credits", []), at)
    expiries = _expiries(by_state.get("credits_only", []), at)
    owners = _owners(m for m in helpless if not m.is_owner)
    asking = [shown.bar.membership for shown in bars] if all_ways else helpless
    ways = _ways([member for member in asking if member.user_id == viewer_id])
    return [
        ShownBar(
            bar=shown.bar,
            mine=shown.mine,
            on_credits=credited.get(shown.bar.membership.pk),
            expiry=expiries.get(shown.bar.membership.team_id) if shown.state == "credits_only" else None,
            owner=owners.get(shown.bar.membership.team_id) if shown.bar.membership in helpless else None,
            ways=ways.get(shown.bar.membership.pk, WaysOut()),
        )
        for shown in bars
    ]


def _on_credits(members: list[Membership], at: datetime) -> dict[int, OnCredits]:
    """By membership id: the calls after the last one that quota alone has paid."""
    if not members:
        return {}
    calls = UsageEvent.objects.filter(corrects=None, api_key=None, occurred_at__lte=at)
    ids = [member.pk for member in members]
    last = last_charge("pk", Calls.BY_QUOTA, until=at)
    floors = Membership.objects.filter(pk__in=ids).annotate(last=last).values_list("pk", "last")
    later = Q()
    for pk, floor in floors:
        later |= Q(membership=pk, occurred_at__gt=max(floor or at - LONGEST, at - LONGEST))
    rows = calls.filter(later, from_credits_nanousd__gt=0).order_by().values("membership")
    found = rows.annotate(since=Min("occurred_at"), paid=Sum("from_credits_nanousd"))
    return {row["membership"]: OnCredits(row["since"], row["paid"]) for row in found}


def _expiries(members: list[Membership], at: datetime) -> dict[int, NextExpiry]:
    """By Team id."""
    teams = {member.team_id for member in members}
    if not teams:
        return {}
    lots = CreditGrant.objects.filter(team__in=teams, expires_at__isnull=False).credits().live(at)
    first = lots.order_by("team_id", "expires_at", "pk").distinct("team_id")
    return {lot.team_id: NextExpiry(lot.remaining_nanousd, lot.expires_at) for lot in first if lot.expires_at}


def _owners(members: Iterable[Membership]) -> dict[int, Membership]:
    """By Team id."""
    teams = {member.team_id for member in members}
    if not teams:
        return {}
    owners = Membership.objects.live().filter(team__in=teams, role="owner").select_related("user")
    return {owner.team_id: owner for owner in owners}


def _ways(members: list[Membership]) -> dict[int, WaysOut]:
    """By membership id."""
    if not members:
        return {}
    seats = set(
        SeatRequest.objects.open().filter(membership__in=members).values_list("membership_id", flat=True)
    )
    of_credits = set(
        CreditRequest.objects.open().filter(membership__in=members).values_list("membership_id", flat=True)
    )
    accesses = CreditAccess.objects.of(members)
    return {
        member.pk: WaysOut(
            asked_for_seat=member.pk in seats,
            asked_for_credits=member.pk in of_credits,
            has_all=accesses[member.pk].is_unlimited,
            own_cap=accesses[member.pk].is_capped_by_member,
            makes_api_keys=may(member, Right.MAKE_API_KEYS),
        )
        for member in members
    }
