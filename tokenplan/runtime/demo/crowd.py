"""Hundreds of members who are nobody in particular, for the pages with many rows.

Their rows are written in bulk, and not by the services that people go through one by one: those take 20 ms
for each member, which is 10 s of a start that is to take seconds. What is written is what they write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from allauth.account.models import EmailAddress
from django.utils.text import slugify

from quota.models import CreditAccess
from teams.keytext import new_key_id, new_salt
from teams.models import AuditEntry, Membership, Role, Seat, SeatHolding, SubscriptionKey, Team, User
from teams.services.audit import Details, record_all
from teams.services.keys import new_text
from tokenplan.runtime.demo.cast import Now, Work

# Of so many members in a row: who has never used the seat, and who has not for long.
NEVER_USED, IDLE = (5, 4), (7, 3)
# Whose bars are near the limit or at it, by their number among the holders.
CROWDED = {1: Now(five_hours=86), 8: Now(five_hours=92), 15: Now(five_hours=100), 22: Now(five_hours=100)}
ONE_MAY_USE_CREDITS_OF = 12


def add_crowd(
    team: Team, people: Mapping[str, str], *, password: str, by: User, at: datetime
) -> list[Membership]:
    """They join the Team as members, each with an account, a Default Team and two keys. `people` is address
    to name, `password` is hashed. In the order of `people`.
    """
    users = User.objects.bulk_create(
        User(email=email, name=name, password=password, date_joined=at) for email, name in people.items()
    )
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )
    own = Team.objects.bulk_create(
        Team(slug=_own_slug(user), name="Default Team", default_for=user, created_at=at) for user in users
    )
    owners = Membership.objects.bulk_create(
        Membership(team=team, user=user, role=Role.OWNER, is_founder=True, joined_at=at)
        for team, user in zip(own, users, strict=True)
    )
    members = Membership.objects.bulk_create(
        Membership(team=team, user=user, role=Role.MEMBER, joined_at=at) for user in users
    )
    _issue_keys([*owners, *members], at)
    AuditEntry.objects.bulk_create(
        AuditEntry(
            team=team, by=user, action="team.created", subject=team.name, details={"default": True}, at=at
        )
        for team, user in zip(own, users, strict=True)
    )
    joined: dict[str, Details] = {user.email: {"role": Role.MEMBER.value} for user in users}
    record_all(team=team, by=by, action="member.joined", subjects=joined, at=at)
    CreditAccess.objects.bulk_create(
        CreditAccess(membership=member, allowed=True)
        for number, member in enumerate(members)
        if number % ONE_MAY_USE_CREDITS_OF == 0
    )
    return members


def _own_slug(user: User) -> str:
    """Of a Default Team. Ends as no slug that is made up does, so it is free."""
    return f"{slugify(user.email.partition('@')[0])}-demo"


def _issue_keys(memberships: Sequence[Membership], at: datetime) -> None:
    common = new_text(at=at)
    SubscriptionKey.objects.bulk_create(
        SubscriptionKey(
            team_id=member.team_id,
            membership=member,
            **{**common, "key_id": new_key_id(), "salt": new_salt()},
        )
        for member in memberships
    )


def seat_crowd(
    members: Sequence[Membership], seats: Sequence[Seat], *, by: User, at: datetime
) -> list[Membership]:
    """Each of the first members holds one of the seats. Returns these."""
    holders = list(members[: len(seats)])
    SeatHolding.objects.bulk_create(
        SeatHolding(team_id=member.team_id, seat=seat, membership=member, started_at=at)
        for member, seat in zip(holders, seats, strict=True)
    )
    if holders:
        assigned: dict[str, Details] = {
            member.user.email: {"seat": seat.pk} for member, seat in zip(holders, seats, strict=True)
        }
        record_all(team=holders[0].team, by=by, action="seat.assigned", subjects=assigned, at=at)
    return holders


def work_of(number: int) -> Work | None:
    """What the holder with this number has done in the last 30 days; None: nothing, ever."""
    if number % NEVER_USED[0] == NEVER_USED[1]:
        return None
    menu = ("code", "sound", "code", "film")[number % 4]
    return Work(menu, 1, every=6, ended=16 if number % IDLE[0] == IDLE[1] else 0)
