"""The Credits of a Team day by day: what was left, and what will be at the present pace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from quota.models import CreditGrant
from quota.outlook import Pace
from quota.selectors.credit_runway import CreditDay, credit_runway
from tests.helpers.factories import CREDIT, T0, give_credits, make_desk, make_member, make_scene, make_team

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
TODAY = datetime(2026, 6, 3, tzinfo=UTC)


def test_a_team_that_never_had_credits_has_none() -> None:
    assert credit_runway(make_team(), T0) is None


def test_each_day_has_what_was_left_at_its_end_and_what_will_be() -> None:
    scene = make_scene(at=T0 - 4 * DAY)
    desk = make_desk(make_member(scene.team, credits=True, at=T0 - 4 * DAY))
    other = make_team(at=T0 - 4 * DAY)
    give_credits(other, 900 * CREDIT, at=T0 - 4 * DAY)
    make_desk(make_member(other, credits=True, at=T0 - 4 * DAY)).use(10, at=T0 - 1 * DAY)
    give_credits(scene.team, 200 * CREDIT, at=T0 - 4 * DAY, expires_at=T0 + 1 * DAY)
    give_credits(scene.team, 300 * CREDIT, at=T0 - 1 * DAY, expires_at=T0 + 300 * DAY)
    desk.use(12, at=T0 - 2 * DAY)
    desk.use(4, at=T0 - timedelta(hours=1))

    found = credit_runway(scene.team, T0)

    assert found is not None
    assert found.pace == Pace(160 * CREDIT, 4 * DAY)  # 40 a day, since there are Credits
    # The first lot has 40 left, which are used up when it expires; then 300 at 40 a day.
    assert found.ahead.ends_at == T0 + timedelta(days=8, hours=12)
    assert found.ahead.losses == ()
    past = [day for day in found.days if not day.is_ahead]
    assert past == [
        CreditDay(TODAY - 4 * DAY, 200 * CREDIT),
        CreditDay(TODAY - 3 * DAY, 200 * CREDIT),
        CreditDay(TODAY - 2 * DAY, 80 * CREDIT),
        CreditDay(TODAY - 1 * DAY, 380 * CREDIT),
        CreditDay(TODAY, 340 * CREDIT),
    ]
    ahead = [day for day in found.days if day.is_ahead]
    assert [day.at for day in ahead] == [TODAY + number * DAY for number in range(1, 15)]
    hours = timedelta(hours=13, minutes=58)
    assert ahead[0].left == 340 * CREDIT - 40 * CREDIT * (hours + DAY) // DAY
    assert [day.left for day in ahead[8:]] == [0] * 6


def test_without_use_in_seven_days_there_is_no_pace_and_what_expires_is_said() -> None:
    scene = make_scene(at=T0 - 40 * DAY)
    desk = make_desk(make_member(scene.team, credits=True, at=T0 - 40 * DAY))
    give_credits(scene.team, 200 * CREDIT, at=T0 - 40 * DAY, expires_at=T0 + 2 * DAY)
    desk.use(5, at=T0 - 8 * DAY)
    give_credits(scene.team, 70 * CREDIT, at=T0 - 40 * DAY)
    CreditGrant.objects.filter(amount_nanousd=70 * CREDIT).update(frozen_at=T0)

    found = credit_runway(scene.team, T0)

    assert found is not None
    assert found.pace is None
    assert found.ahead.losses == ((T0 + 2 * DAY, 150 * CREDIT),)
    assert found.days[0] == CreditDay(TODAY - 29 * DAY, 200 * CREDIT)
    assert found.days[29] == CreditDay(TODAY, 150 * CREDIT)
    assert found.days[31] == CreditDay(TODAY + 2 * DAY, 0, 150 * CREDIT, is_ahead=True)
