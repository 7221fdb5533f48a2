"""The usage bar: what a member may use in a Team now.

Pages, the API and the trackers' endpoint all show this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from quota.hot_path.catalog import PlanTerms, plan_terms
from quota.hot_path.sql import fetch_all
from quota.hot_path.state import SeatUsage, seat_usage, take_usage_of
from quota.models import Entitlement
from quota.outlook import Outlook, lasts, pace_of, releases_of
from quota.selectors.credits import MemberCredits
from quota.windows import FOREVER, Bucket, Limit, Policy, QuotaWindow
from teams.models import Membership


@dataclass(frozen=True, slots=True)
class UsageBar:
    """What a member may use. `plan` is None where no seat works; `windows` is then empty.

    `suspended`: the seat that the member holds waits for a payment. `owed`, in nano-dollars: usage that
    nothing covered; until it is paid, no call is allowed. `rooms`: when each window has room for a small
    call, which is now where it has it now. `usage` is what the windows were worked out from, `at` when.
    """

    membership: Membership
    seat_id: int | None
    plan: PlanTerms | None
    ends_at: datetime | None
    renews_at: datetime | None
    suspended: bool
    windows: list[QuotaWindow]
    agents: int
    credits: MemberCredits
    owed: int
    rooms: list[datetime]
    usage: SeatUsage
    at: datetime

    @property
    def room_at(self) -> datetime | None:
        """When every window has room for a small call again; None where they have it now."""
        last = max(self.rooms, default=self.at)
        return last if last > self.at else None

    @property
    def usable(self) -> bool:
        """Whether a small call would be allowed now."""
        if self.owed:
            return False
        return (bool(self.windows) and self.room_at is None) or self.credits.usable > 0

    @property
    def shown(self) -> list[tuple[QuotaWindow, Outlook]]:
        """Each window with what lies ahead of it."""
        return list(zip(self.windows, self._outlooks(), strict=True))

    def _outlooks(self) -> list[Outlook]:
        rolling = [window.limit for window in self.windows if window.limit.rule.policy is Policy.ROLLING]
        shortest = min(rolling, key=lambda limit: limit.rule.length, default=None)
        pace = pace_of(shortest, self._buckets(shortest), self.at) if shortest else None
        outlooks = []
        for window, room_at in zip(self.windows, self.rooms, strict=True):
            releases = releases_of(window.limit, self._buckets(window.limit), self.at)
            time = lasts(window, releases, pace, self.at)
            outlooks.append(Outlook(self.at, releases, room_at if room_at > self.at else None, time))
        # The window that is full first stops the pace of all.
        first = min((outlook.lasts for outlook in outlooks if outlook.lasts is not None), default=None)
        return [replace(outlook, lasts=first if outlook.lasts == first else None) for outlook in outlooks]

    def _buckets(self, limit: Limit) -> Sequence[Bucket]:
        return self.usage.buckets.get(limit.rule.key, ())


# Nano-dollars: what the windows have less room for is no call, though they are not quite full.
SMALL_CALL = 100_000


def _room_in(limit: Limit, usage: SeatUsage, at: datetime) -> datetime:
    """When this window has room for a small call; now, where it has it now."""
    return usage.fits_at(limit, min(SMALL_CALL, limit.nanousd), at) or FOREVER


_BARS = """
SELECT b.membership_id, b.seat_id, b.plan_id, b.ends_at, b.renews_at, b.suspended, b.access, b.overflow,
    b.month_cap, b.month_used, b.balance, b.usable, b.owed, (b.usage).*
FROM quota_usage_bars(%(memberships)s, %(at)s) b
"""


def usage_bar(membership: Membership, at: datetime) -> UsageBar:
    """The bar of a live membership at a moment."""
    (bar,) = usage_bars([membership], at)
    return bar


def usage_bars(memberships: Sequence[Membership], at: datetime) -> list[UsageBar]:
    """The bars of live memberships at a moment, in their order, by one statement. Nothing is locked."""
    ids = [membership.pk for membership in memberships]
    rows = {row["membership_id"]: row for row in fetch_all(_BARS, {"memberships": ids, "at": at})}
    return [_bar(membership, rows[membership.pk], at) for membership in memberships]


def _bar(membership: Membership, row: dict[str, Any], at: datetime) -> UsageBar:
    plan = plan_terms(row["plan_id"]) if row["plan_id"] and not row["suspended"] else None
    usage = take_usage_of(dict(row))
    return UsageBar(
        membership=membership,
        seat_id=row["seat_id"],
        plan=plan,
        ends_at=row["ends_at"],
        renews_at=row["renews_at"],
        suspended=row["suspended"],
        windows=usage.windows(plan.limits, at) if plan else [],
        agents=len(usage.agents(at)),
        credits=MemberCredits(
            access=row["access"],
            balance=row["balance"],
            usable=row["usable"],
            overflow="allow" if row["overflow"] else "never",
            month_cap=row["month_cap"],
            month_used=row["month_used"],
        ),
        rooms=[_room_in(limit, usage, at) for limit in plan.limits] if plan else [],
        owed=row["owed"],
        usage=usage,
        at=at,
    )


def seat_windows(seat_id: int, at: datetime) -> tuple[PlanTerms | None, list[QuotaWindow]]:
    """A seat's plan and windows, whoever holds it; (None, []) when it is entitled to nothing that works."""
    entitlement = Entitlement.objects.filter(seat_id=seat_id).working(at).order_by("-starts_at").first()
    if entitlement is None:
        return None, []
    plan = plan_terms(entitlement.plan_id)
    return plan, seat_usage(seat_id, at).windows(plan.limits, at)
