"""Real rows for tests, made through the services.

A moment is always passed in; `T0` is a Wednesday morning.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress

from billing.services.plans import draft_version
from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.draws import Drawn, Report
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import draw, settle
from quota.ids import new_id
from quota.models import Account, Gateway, OwedUsage, Plan, UsageEvent
from quota.plan_terms import VersionTerms
from quota.services import entitlements
from quota.services.credits import grant_credits, set_credit_access
from quota.services.gateways import create_gateway
from quota.services.plans import put_on_sale
from quota.services.rate_cards import load_rate_card
from quota.windows import Limit, Policy, Rule
from teams.keytext import key_text
from teams.models import ApiKey, Membership, Role, Seat, Team, User
from teams.services import keys, seats
from teams.services.accounts import open_account
from teams.services.api_keys import create_api_key
from teams.services.memberships import add_member
from teams.services.teams import create_team

T0 = datetime(2026, 6, 3, 10, 2, tzinfo=UTC)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
USD = 1_000_000_000
CREDIT = 1_000_000

FIVE_HOURS = Rule(Policy.ROLLING, 5 * 3600)
WEEK = Rule(Policy.FIXED, 7 * 86400, MONDAY)

RATE_CARD = """\
model,modality,meter,unit_size,usd_per_unit,context_over,note
talker,language,input_tokens,1000000,0.30,,
talker,language,output_tokens,1000000,1.20,,
talker,language,cache_read_tokens,1000000,0.06,,
talker,language,input_tokens,1000000,0.60,512000,
talker,language,output_tokens,1000000,2.40,512000,
talker,language,cache_read_tokens,1000000,0.12,512000,
penny,language,calls,1,0.01,,
nano,language,calls,1,0.000000001,,
painter,image,images,1,0.0035,,
"""

# Of a seat a month and a year, in dollars.
PRICES = {"plus": (20, 200), "max": (50, 500), "ultra": (120, 1200)}

_numbers = itertools.count(1)


def limits(five_hours: int = 9_900_000_000, week: int = 99_000_000_000) -> list[Limit]:
    """A plan's two windows with these limits, in nano-dollars."""
    return [Limit("5h", FIVE_HOURS, five_hours), Limit("week", WEEK, week)]


def make_user(email: str = "", *, password: str | None = None, at: datetime = T0) -> User:
    """A user with a Default Team and its key. The address counts as verified."""
    user = User.objects.create_user(email=email or f"person{next(_numbers)}@example.com", password=password)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    open_account(user=user, at=at)
    return user


def make_team(name: str = "", *, owner: User | None = None, at: datetime = T0) -> Team:
    """A regular Team."""
    owner = owner or make_user(at=at)
    return create_team(name=name or f"Team {next(_numbers)}", by=owner, at=at).team


def make_member(
    team: Team, user: User | None = None, *, role: str = Role.MEMBER, credits: bool = False, at: datetime = T0
) -> Membership:
    membership = add_member(team=team, user=user or make_user(at=at), role=role, at=at, by=None)
    if credits:
        allow_credits(membership, at=at)
    return membership


def owner_of(team: Team) -> Membership:
    return Membership.objects.get(team=team, role=Role.OWNER, ended_at=None)


def make_plan(
    code: str = "max",
    of_limits: Sequence[Limit] = (),
    *,
    agents: tuple[int, int] = (4, 5),
    agents_enforced: bool = False,
    at: datetime = T0,
) -> Plan:
    """A new version of a plan, on sale: $9.90 in 5 hours and $99 in a week unless told otherwise. Stripe does
    not know its prices yet, which are the product's.
    """
    return put_on_sale(
        plan=make_draft(code, of_limits, agents=agents, agents_enforced=agents_enforced, at=at),
        at=at,
        by=None,
    )


def make_draft(
    code: str = "max",
    of_limits: Sequence[Limit] = (),
    *,
    agents: tuple[int, int] = (4, 5),
    agents_enforced: bool = False,
    at: datetime = T0,
    **usd: int,
) -> Plan:
    """As `make_plan`, but a draft. `month=55, year=550` are its prices in dollars."""
    month, year = PRICES.get(code, PRICES["max"])
    return draft_version(
        terms=VersionTerms(
            code=code,
            name=code.capitalize(),
            rank={"plus": 1, "max": 2, "ultra": 3}.get(code, 9),
            agents=agents,
            agents_enforced=agents_enforced,
            limits=tuple(of_limits or limits()),
        ),
        amounts={"month": usd.get("month", month) * USD, "year": usd.get("year", year) * USD},
        at=at,
        by=None,
    )


def make_seat(
    team: Team,
    plan: Plan | None = None,
    *,
    holder: Membership | None = None,
    ends_at: datetime | None = None,
    at: datetime = T0,
) -> Seat:
    """A seat with a plan, and with a holder if one is named."""
    seat = entitlements.grant_seat(
        team=team, plan=plan or make_plan(at=at), ends_at=ends_at, source="test", at=at, by=None
    )
    if holder:
        seats.assign_seat(seat=seat, membership=holder, by=None, at=at)
    return seat


def make_gateway(at: datetime = T0) -> Gateway:
    return create_gateway(name=f"gateway {next(_numbers)}", at=at, by=None)[0]


def give_credits(team: Team, nanousd: int, *, at: datetime = T0, expires_at: datetime | None = None) -> None:
    grant_credits(
        team=team, nanousd=nanousd, source=f"test {next(_numbers)}", at=at, by=None, expires_at=expires_at
    )


def allow_credits(
    membership: Membership, *, overflow: str = "allow", month_cap: int | None = None, at: datetime = T0
) -> None:
    set_credit_access(
        membership=membership, allowed=True, overflow=overflow, month_cap_nanousd=month_cap, at=at, by=None
    )


def owe(membership: Membership, account: Account = Account.CREDITS) -> None:
    """A nano-dollar of a call that nobody keeps is owed by the member; of the balance, by the Team."""
    OwedUsage.objects.create(
        account=account,
        event_id=new_id(),
        team=membership.team,
        membership=membership,
        owed_nanousd=1,
        left_nanousd=1,
    )


def key_of(membership: Membership) -> str:
    """The text of the member's current key."""
    return keys.reveal_key(membership.keys.get(replaced_at=None))


def make_api_key(membership: Membership, name: str = "ci", *, month_cap: int | None = None) -> ApiKey:
    """Of the member's Team, made by the member, without an end."""
    return create_api_key(
        membership=membership,
        name=name,
        month_cap_nanousd=month_cap,
        expires_at=None,
        at=T0,
        by=membership.user,
    )


def forged_key_of(membership: Membership) -> str:
    """A well-formed text, with its checksum, of the member's key: all but the secret is right."""
    key = membership.keys.get(replaced_at=None)
    return key_text(root=b"guessed" * 5, key_id=key.key_id, salt=bytes(key.salt))


def use_test_rate_card(at: datetime = MONDAY) -> None:
    """talker (tokens), penny ($0.01 a call), nano (a nano-dollar a call), painter ($0.0035 an image)."""
    load_rate_card(text=RATE_CARD, effective_from=at, at=at, by=None)


@dataclass
class Desk:
    """A gateway with one key: asks, settles, and both, at a moment. `penny` calls unless told otherwise."""

    gateway: Gateway
    key: str

    def ask(
        self,
        calls: int = 1,
        *,
        at: datetime = T0,
        model: str = "penny",
        agent: str = "",
        request_id: str = "",
        tags: Sequence[str] = (),
    ) -> Authorization:
        request = AuthorizeRequest(
            request_id or f"r{next(_numbers)}", self.key, model, {"calls": calls}, agent, tags=tuple(tags)
        )
        return authorize(gateway=self.gateway, request=request, at=at)

    def lease(
        self, nanousd: int, *, at: datetime = T0, seconds: int | None = None, agent: str = "", **more: Any
    ) -> Authorization:
        request = AuthorizeRequest(
            f"r{next(_numbers)}",
            self.key,
            agent=agent,
            hold_nanousd=nanousd,
            lifetime_seconds=seconds,
            **more,
        )
        return authorize(gateway=self.gateway, request=request, at=at)

    def draw(
        self, held: Authorization, calls: int, *, at: datetime = T0, draw_id: str = "", **more: Any
    ) -> Drawn:
        """Charge so many calls of `penny` as a part of what is held."""
        said: dict[str, Any] = {"usage": {"calls": calls}, "model": "penny"} | more
        report = Report(draw_id=draw_id or f"d{next(_numbers)}", **said)
        return draw(gateway=self.gateway, reservation_id=held.reservation_id, report=report, at=at)

    def settle(self, authorization: Authorization, calls: int, *, at: datetime = T0) -> UsageEvent:
        return self.report(authorization, {"calls": calls}, at=at)

    def report(
        self, authorization: Authorization, usage: dict[str, int], *, at: datetime = T0, model: str = ""
    ) -> UsageEvent:
        """Settle with this usage, of this model if another one ran."""
        report = Report(usage=usage, model=model)
        held = authorization.reservation_id
        return settle(gateway=self.gateway, reservation_id=held, report=report, at=at).event

    def use(
        self, calls: int, *, at: datetime = T0, model: str = "penny", tags: Sequence[str] = ()
    ) -> UsageEvent:
        """A call that was authorized and settled at once."""
        asked = self.ask(calls, at=at, model=model, tags=tags)
        return self.settle(asked, calls, at=at + timedelta(microseconds=1))


def make_desk(membership: Membership) -> Desk:
    return Desk(make_gateway(), key_of(membership))


@dataclass
class Scene:
    """A Team with an Owner who holds a Max seat, a rate card, and a desk."""

    team: Team
    owner: Membership
    plan: Plan
    seat: Seat
    desk: Desk


def make_scene(of_limits: Sequence[Limit] = (), *, at: datetime = T0) -> Scene:
    use_test_rate_card()
    team = make_team(at=at)
    owner = owner_of(team)
    plan = make_plan(of_limits=of_limits, at=at)
    seat = make_seat(team, plan, holder=owner, at=at)
    return Scene(team, owner, plan, seat, make_desk(owner))
