"""The bar is read by one statement, of one member or of many. Here it is read again in the plainest way."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection
from django.db.models import Sum

from quota.hot_path.accounts import usable_credits
from quota.hot_path.catalog import plan_terms
from quota.hot_path.state import seat_usage
from quota.models import CreditMonth, Entitlement, OwedUsage
from quota.selectors.credits import MemberCredits, credit_access, team_balance, team_credits
from quota.selectors.usage_bar import UsageBar, usage_bar, usage_bars
from quota.windows import Policy
from teams.models import Membership, SeatHolding
from tests.helpers.crowds import Crowd
from tests.helpers.factories import T0, Scene, make_member
from tests.helpers.hot_path import HOUR, MINUTE
from tests.helpers.rows_read import forget_statistics

pytestmark = pytest.mark.django_db

MOMENTS = [T0 + MINUTE, T0 + HOUR, T0 + 2 * HOUR, T0 + 4 * HOUR, T0 + 40 * 24 * HOUR]


def read_plainly(member: Membership, at: datetime) -> dict[str, object]:
    """The bar without what follows from its other parts."""
    holding = SeatHolding.objects.filter(membership=member).at(at).first()
    of_seat = Entitlement.objects.filter(seat__in=[holding.seat_id] if holding else []).at(at)
    entitlement = of_seat.order_by("-starts_at").first()
    suspended = entitlement is not None and entitlement.is_suspended(at)
    plan = plan_terms(entitlement.plan_id) if entitlement and not suspended else None
    usage = seat_usage(holding.seat_id, at) if holding and plan else None
    access, rules = credit_access(member), team_credits(member.team_id)
    months = CreditMonth.objects.filter(
        membership__user=member.user_id, membership__team=member.team_id, month=at.date().replace(day=1)
    )
    seated = plan is not None
    return {
        "membership": member,
        "seat_id": holding and holding.seat_id,
        "plan": plan,
        "ends_at": entitlement and entitlement.ends_at,
        "renews_at": entitlement and entitlement.renews_at,
        "suspended": suspended,
        "windows": usage.windows(plan.limits, at) if usage and plan else [],
        "agents": len(usage.agents(at)) if usage else 0,
        "owed": OwedUsage.objects.filter(membership__user=member.user_id, membership__team=member.team_id)
        .credits()
        .left(),
        "credits": MemberCredits(
            access=access.allowed,
            balance=team_balance(member.team_id, at),
            usable=usable_credits(team_id=member.team_id, membership_id=member.pk, seated=seated, at=at),
            overflow="allow" if "never" not in (access.overflow, rules.overflow) else "never",
            month_cap=access.month_cap_nanousd,
            month_used=months.aggregate(total=Sum("used_nanousd", default=0))["total"],
        ),
    }


def said(bar: UsageBar) -> dict[str, object]:
    names = [name for name in UsageBar.__dataclass_fields__ if name not in ("rooms", "usage", "at")]
    return {name: getattr(bar, name) for name in names}


@pytest.mark.slow
def test_whatever_state_members_are_in_the_bars_say_what_the_rows_say() -> None:
    seen: list[UsageBar] = []
    for seed in range(6):
        members = Crowd(seed).members
        for at in MOMENTS:
            bars = usage_bars(members, at)
            assert [said(bar) for bar in bars] == [read_plainly(member, at) for member in members]
            assert bars == [usage_bar(member, at) for member in members]
            assert {bar.at for bar in bars} == {at}
            seen += bars
    for bar in seen:
        for window, outlook in bar.shown:
            given_back = sum(release.nanousd for release in outlook.releases)
            assert given_back == (window.used if window.limit.rule.policy is Policy.ROLLING else 0)
        moments = [outlook.room_at for _, outlook in bar.shown if outlook.room_at]
        assert bar.room_at == max(moments, default=None)
    # All kinds of states were among them.
    assert {bar.usable for bar in seen} == {bar.suspended for bar in seen} == {True, False}
    assert {bar.credits.overflow for bar in seen} == {"allow", "never"}
    assert {(bar.credits.access, bar.credits.usable > 0) for bar in seen} >= {(True, True), (True, False)}
    assert {bar.plan and bar.plan.code for bar in seen} == {None, "max", "ultra"}
    assert {window.limit.rule.policy for bar in seen for window in bar.windows} == {*Policy}
    kinds: list[Callable[[UsageBar], object]] = [
        lambda bar: bar.owed,
        lambda bar: bar.room_at,
        lambda bar: bar.agents > 1,
        lambda bar: bar.renews_at,
        lambda bar: bar.credits.month_used,
        lambda bar: bar.credits.month_cap,
        lambda bar: bar.seat_id is None and bar.usable,
        lambda bar: any(window.held for window in bar.windows),
    ]
    assert [any(map(kind, seen)) for kind in kinds] == [True] * len(kinds)


def test_the_bars_come_in_the_order_of_the_members_who_may_be_named_twice(scene: Scene) -> None:
    guest = make_member(scene.team)
    asked = [guest, scene.owner, guest]
    bars = usage_bars(asked, T0)
    assert [bar.membership for bar in bars] == asked
    assert [bar.seat_id for bar in bars] == [None, scene.seat.pk, None]
    assert usage_bars([], T0) == []


def test_of_many_seats_usage_is_found_by_a_hash_and_nothing_else_is_read_whole() -> None:
    forget_statistics()
    plan = plan_of_bars()
    assert len(re.findall(r"Hash \w*\s*Join", plan)) == 1, plan
    assert re.search(r"Hash Cond: \((u\.seat_id = f\.seat_id|f\.seat_id = u\.seat_id)\)", plan), plan
    assert "Seq Scan" not in plan, plan


def plan_of_bars() -> str:
    """Of the statement of the database function, with its settings and without any values."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc, proconfig FROM pg_proc WHERE proname = 'quota_usage_bars'")
        source, settings = cursor.fetchone()
        for setting in settings:
            cursor.execute("SELECT set_config(%s, %s, true)", setting.split("="))
        statement = source.partition("RETURN QUERY")[2].rpartition("END")[0]
        statement = statement.replace("p_membership_ids", "$1").replace("p_at", "$2")
        cursor.execute(f"PREPARE bars (bigint[], timestamptz) AS {statement}")
        cursor.execute("EXPLAIN EXECUTE bars ('{}', now())")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE bars")
    return plan
