"""Fills a new database with plans, Teams with seats and Credits, and a gateway; prints the credentials.

`benchmarks.scratch` runs it in a process of its own, in the environment that it has prepared.
"""

# ruff: noqa: E402

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.utils import timezone

from quota.models import Plan
from quota.services.credits import grant_credits, set_credit_access, set_team_credits
from quota.services.entitlements import grant_seat
from quota.services.gateways import create_gateway
from teams.models import Membership, Role, Team, User
from teams.services.keys import reveal_key
from teams.services.memberships import add_member
from teams.services.seats import assign_seat
from teams.services.teams import create_team
from tokenplan import settings

# So that usage may be recorded in the past.
SINCE = timedelta(days=100)
TEN_YEARS = timedelta(days=3650)
# Of a lot that no run uses up.
MUCH_NANOUSD = 900_000 * 1_000_000_000
# The shipped windows; the limits are so high that no run reaches them, or nothing, so that Credits pay.
PLANS = Path(__file__).parent / "plans.json"
# As many callers as are measured on one pool at once.
MOST_POOLED = 64
WITH_ROOM, WITHOUT_ROOM = "ultra", "plus"


def seat(member: Membership, plan: Plan, at: datetime) -> str:
    """The member gets a seat with this plan. Returns the text of the key."""
    made = grant_seat(team=member.team, plan=plan, ends_at=None, source="benchmark", at=at, by=None)
    assign_seat(seat=made, membership=member, by=None, at=at)
    return reveal_key(member.keys.get())


def with_credits(team: Team, at: datetime) -> None:
    """The Team has many Credits, which pay for what goes beyond its members' quota."""
    grant_credits(
        team=team,
        nanousd=MUCH_NANOUSD,
        source=f"benchmark {team.pk}",
        at=at,
        by=None,
        expires_at=at + TEN_YEARS,
    )
    set_team_credits(team=team, overflow="allow", low_balance_nanousd=0, at=at, by=None)
    for member in Membership.objects.for_team(team).live():
        set_credit_access(
            membership=member, allowed=True, overflow="allow", month_cap_nanousd=None, at=at, by=None
        )


def cookie(user: User) -> str:
    """Of a session in which the user has signed in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"sessionid={session.session_key}"


def furnish(number: int, at: datetime) -> dict[str, object]:
    """So many keys, and of those that Credits pay for no more than are called with at once: what `Scratch`
    has of them.
    """
    User.objects.create_superuser(email="operator@benchmark.example", password=None)  # who gets alarms
    owner = User.objects.create_user(email="owner@benchmark.example")
    plenty, none = Plan.objects.current(WITH_ROOM), Plan.objects.current(WITHOUT_ROOM)

    def team(name: str) -> Membership:
        return create_team(name=name, by=owner, at=at)

    members = [team(f"Benchmark {place}") for place in range(number)]
    keys = [seat(member, plenty, at) for member in members]
    crowded = team("Pool").team
    callers = range(min(number, MOST_POOLED))
    people = [User.objects.create_user(email=f"m{place}@benchmark.example") for place in callers]
    crowd = [add_member(team=crowded, user=user, role=Role.MEMBER, by=owner, at=at) for user in people]
    pooled = [seat(member, none, at) for member in crowd]
    with_credits(crowded, at)
    alone = [team(f"Apart {place}") for place in callers]
    apart = [seat(member, none, at) for member in alone]
    for member in alone:
        with_credits(member.team, at)
    _, gateway_key = create_gateway(name="benchmark", at=at, by=None)
    first = {
        "slug": members[0].team.slug,
        "membership": members[0].pk,
        "key": keys[0],
        "cookie": cookie(owner),
    }
    return {"gateway_key": gateway_key, "keys": keys, "pooled": pooled, "apart": apart, "owner": first}


if __name__ == "__main__":
    quiet = io.StringIO()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("createcachetable", verbosity=0)
    call_command("load_plans", str(PLANS), stdout=quiet)
    call_command("load_prices", stdout=quiet)
    call_command("load_rate_card", stdout=quiet)
    print(json.dumps(furnish(int(sys.argv[1]), timezone.now() - SINCE)))
