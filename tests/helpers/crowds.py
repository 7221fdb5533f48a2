"""A Team whose members are in whatever state members can be in, to compare two ways of reading it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from datetime import timedelta

from quota.models import CreditGrant
from quota.services.credits import freeze_lot, set_credit_access, set_team_credits
from quota.services.entitlements import entitle_seat, suspend_seat, withdraw_seat
from quota.windows import Limit, Policy, Rule
from teams.models import Membership, Seat
from teams.services.memberships import end_membership
from teams.services.seats import free_seat
from tests.helpers.factories import (
    FIVE_HOURS,
    T0,
    WEEK,
    Desk,
    Scene,
    give_credits,
    key_of,
    make_member,
    make_plan,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY
from tokenplan.kit.errors import Refusal

DAY = timedelta(days=1)
MEMBERS = 5


class Crowd:
    """Made before `T0` plus two hours, by a generator of random numbers with this seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        chance = self.chance
        self.scene: Scene = make_scene(self.limits())
        self.higher = make_plan("ultra", self.limits())
        for _ in range(chance.randrange(4)):
            expires_at = T0 + chance.choice([1, 3, 900]) * HOUR
            give_credits(self.scene.team, chance.randint(1, 40) * PENNY, expires_at=expires_at)
        self.members = [self.scene.owner, *(self.member() for _ in range(MEMBERS))]
        lot = CreditGrant.objects.for_team(self.scene.team).first()
        if lot and chance.random() < 0.3:
            freeze_lot(lot=lot, frozen=True, at=T0 + HOUR, by=None)
        if chance.random() < 0.3:
            set_team_credits(
                team=self.scene.team, overflow="never", low_balance_nanousd=0, at=T0 + HOUR, by=None
            )

    def limits(self) -> list[Limit]:
        """Of one or two windows, of any policy."""
        chance = self.chance
        short = chance.choice([FIVE_HOURS, Rule(Policy.FIRST_USE, 18_000), Rule(Policy.FIXED, 18_000, T0)])
        both = [
            Limit("short", short, chance.randint(8, 30) * PENNY),
            Limit("week", WEEK, chance.randint(20, 60) * PENNY),
        ]
        return chance.choice([both, both, both[:1], both[1:]])

    def member(self) -> Membership:
        chance, team = self.chance, self.scene.team
        member = make_member(team, role=chance.choice(["member", "admin"]))
        if chance.random() < 0.6:
            self.set_access(member)
        seat = make_seat(team, self.scene.plan, holder=member) if chance.random() < 0.7 else None
        self.use(member)
        if chance.random() < 0.2:
            end_membership(membership=member, by=None, at=T0 + HOUR)
            member = make_member(team, member.user, at=T0 + HOUR + MINUTE)
            self.set_access(member)
        elif seat is not None:
            self.change(seat)
        return member

    def set_access(self, member: Membership) -> None:
        set_credit_access(
            membership=member,
            allowed=self.chance.random() < 0.8,
            overflow=self.chance.choice(["allow", "allow", "never"]),
            month_cap_nanousd=self.chance.choice([None, 0, 5 * PENNY, 50 * PENNY]),
            at=T0,
            by=None,
        )

    def use(self, member: Membership) -> None:
        """Calls and leases, settled, drawn from or open; some of what was used was not covered."""
        chance, desk = self.chance, Desk(self.scene.desk.gateway, key_of(member))
        for _ in range(chance.randrange(6)):
            at = T0 + chance.randrange(55) * MINUTE
            with contextlib.suppress(Refusal):
                if chance.random() < 0.3:
                    held = desk.lease(chance.randint(1, 6) * PENNY, at=at, seconds=chance.choice([600, 9000]))
                    desk.draw(held, chance.randrange(4), at=at + MINUTE)
                    continue
                asked = desk.ask(chance.randint(1, 9), at=at, agent=chance.choice(["", "day", "night"]))
                if chance.random() < 0.7:
                    desk.settle(asked, chance.randint(0, 15), at=at + MINUTE)

    def change(self, seat: Seat) -> None:
        """What becomes of a seat after an hour."""
        at = T0 + HOUR

        def upgrade() -> None:
            ends_at = self.chance.choice([None, at + 20 * MINUTE, at + 9 * DAY])
            entitle_seat(
                seat=seat,
                plan=self.higher,
                starts_at=at,
                ends_at=ends_at,
                renews_at=ends_at and ends_at - MINUTE,
                source="upgrade",
                at=at,
                by=None,
            )

        acts: list[Callable[[], object]] = [
            upgrade,
            upgrade,
            lambda: suspend_seat(seat=seat, at=at, by=None),
            lambda: suspend_seat(seat=seat, since=at + HOUR, at=at, by=None),
            lambda: free_seat(seat=seat, by=None, at=at),
            lambda: withdraw_seat(seat=seat, at=at, by=None),
            lambda: None,
        ]
        self.chance.choice(acts)()
