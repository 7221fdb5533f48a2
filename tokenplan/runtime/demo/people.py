"""The demo's accounts, Teams and keys, made by the services that people's own requests come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.db.models import QuerySet

from quota.models import Entitlement, Plan
from quota.money import nanousd_from_credits
from quota.services.credits import grant_credits, set_credit_access
from quota.services.entitlements import grant_seat
from teams.errors import KeyInvalid, KeyRootMissing
from teams.models import Membership, Seat, SubscriptionKey, Team, User
from teams.services.accounts import open_account
from teams.services.keys import reveal_key, rotate_key
from teams.services.memberships import add_member
from teams.services.seats import assign_seat
from teams.services.teams import create_team
from tokenplan.runtime.demo.cast import OPERATOR, DemoTeam, names


def demo_people() -> QuerySet[User]:
    """The accounts that the demo has made."""
    return User.objects.filter(email__in=names())


def open_accounts(people: Mapping[str, str], *, password: str, at: datetime) -> dict[str, User]:
    """The accounts of these people (address to name), made where they are missing. All get this password,
    which is hashed.
    """
    return {email: _account(email, name, password, at) for email, name in people.items()}


def _account(email: str, name: str, password: str, at: datetime) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        operator = email == OPERATOR
        user = User.objects.create_user(
            email, name=name, is_staff=operator, is_superuser=operator, date_joined=at
        )
    user.password = password
    user.save(update_fields=["password"])
    EmailAddress.objects.get_or_create(user=user, email=email, defaults={"verified": True, "primary": True})
    open_account(user=user, at=at)
    return user


def team_of(team: DemoTeam) -> Team | None:
    """The Team in the database: by its name and its Owner, since anybody may have named theirs so."""
    owner = team.people[0].email
    live = Team.objects.live().filter(name=team.name, default_for=None)
    return live.filter(memberships__user__email=owner, memberships__ended_at=None).first()


def memberships_of(team: DemoTeam) -> list[Membership]:
    """Of its people, as far as they are members still, in their order."""
    emails = [person.email for person in team.people]
    live = Membership.objects.live().filter(team=team_of(team), user__email__in=emails)
    found = {member.user.email: member for member in live.select_related("team", "user")}
    return [found[email] for email in emails if email in found]


def found_team(team: DemoTeam, users: Mapping[str, User], *, at: datetime) -> list[Membership]:
    """The Team with its people, the Owner first. It has no seats and no Credits yet."""
    owner = users[team.people[0].email]
    first = create_team(name=team.name, by=owner, at=at)
    rest = [
        add_member(team=first.team, user=users[person.email], role=person.role, at=at, by=owner)
        for person in team.people[1:]
    ]
    return [first, *rest]


def give_seats(
    team: DemoTeam, members: Sequence[Membership], seats: Mapping[str, list[Seat]], *, at: datetime
) -> None:
    """Each of its people, the Owner first, holds a seat of their plan, and may use Credits or not. Takes the
    seats out of `seats`, which are by plan code.
    """
    owner = members[0].user
    for person, member in zip(team.people, members, strict=True):
        if person.plan:
            assign_seat(seat=seats[person.plan].pop(0), membership=member, by=owner, at=at)
        set_credit_access(
            membership=member,
            allowed=person.credits,
            overflow="allow",
            month_cap_nanousd=nanousd_from_credits(person.month_cap) if person.month_cap else None,
            at=at,
            by=owner,
        )


def grant_all(team: DemoTeam, made: Team, *, at: datetime) -> dict[str, list[Seat]]:
    """Its Credits and seats, given by an operator where nothing can be bought. Returns the seats by plan."""
    pool = nanousd_from_credits(team.credits)
    grant_credits(team=made, nanousd=pool, source=f"demo: {made.slug}", at=at, by=None)
    plans = {plan.code: plan for plan in Plan.objects.sellable()}
    return {
        code: [
            grant_seat(team=made, plan=plans[code], ends_at=None, source="demo", at=at, by=None)
            for _ in range(count)
        ]
        for code, count in team.seats.items()
    }


def plan_code(member: Membership) -> str | None:
    """The plan of the seat that the member holds, if any."""
    holding = member.holdings.current().first()
    entitlement = holding and Entitlement.objects.open().filter(seat=holding.seat_id).first()
    return entitlement.plan.code if entitlement else None


def key_text(member: Membership, *, at: datetime) -> str:
    """The text of the member's key. The key is rotated first where its root was lost with an earlier DATA."""
    key = SubscriptionKey.objects.current().get(membership=member)
    try:
        return reveal_key(key)
    except (KeyInvalid, KeyRootMissing):
        return reveal_key(rotate_key(membership=member, overlap=timedelta(0), at=at, by=member.user))
