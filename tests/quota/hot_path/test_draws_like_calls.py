"""The same calls over one lease and one by one end alike: in windows, lots and receipts."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from quota.models import CreditGrant, CreditMonth, Reservation, UsageBucket, UsageEvent
from quota.selectors.reconcile import differences
from quota.windows import Limit, Policy, Rule
from tests.helpers.cases import many
from tests.helpers.factories import T0, Scene, give_credits, limits, make_scene
from tests.helpers.hot_path import HOUR, PENNY, windows_after, windows_before

pytestmark = pytest.mark.django_db

WINDOWS = {
    "rolling and fixed": limits(300 * PENNY, 500 * PENNY),
    "first_use": [
        Limit("5h", Rule(Policy.FIRST_USE, 18_000), 300 * PENNY),
        Limit("day", Rule(Policy.FIRST_USE, 86_400), 500 * PENNY),
    ],
}
OF_A_RECEIPT = (
    *("model", "usage", "rate_card_id", "amount_nanousd", "from_quota_nanousd", "from_credits_nanousd"),
    *("overrun_nanousd", "occurred_at"),
)


def written(scene: Scene) -> dict[str, Any]:
    """All that the calls have left behind, but for ids, for what was held, and for when windows reset, which
    depends on it.
    """
    receipts = [
        {
            **{name: getattr(event, name) for name in OF_A_RECEIPT},
            "before": [(window.limit, window.used) for window in windows_before(event)],
            "after": [(window.limit, window.used) for window in windows_after(event)],
        }
        for event in UsageEvent.objects.filter(team=scene.team).order_by(
            "occurred_at", "amount_nanousd", "id"
        )
    ]
    buckets = UsageBucket.objects.filter(seat=scene.seat, used_nanousd__gt=0)
    return {
        "receipts": receipts,
        "buckets": sorted(buckets.values_list("rule", "starts_at", "used_nanousd")),
        "lots": list(
            CreditGrant.objects.filter(team=scene.team)
            .order_by("expires_at")
            .values_list("remaining_nanousd", flat=True)
        ),
        "months": list(
            CreditMonth.objects.filter(membership=scene.owner).order_by("month").values_list("used_nanousd")
        ),
    }


@pytest.mark.parametrize("seed", many(range(3)))
@pytest.mark.parametrize("windows", WINDOWS)
def test_calls_over_one_lease_end_as_single_calls_do(windows: str, seed: int) -> None:
    chance = random.Random(seed)
    start = datetime.fromisoformat("2026-06-30T14:00:00+00:00")
    moments = sorted(chance.randrange(20 * 3600) for _ in range(60))
    calls = [(start + timedelta(seconds=second), chance.randrange(1, 15)) for second in moments]
    one_by_one, leased = (make_scene(WINDOWS[windows], at=T0) for _ in range(2))
    for scene in (one_by_one, leased):
        give_credits(scene.team, 100 * PENNY, expires_at=start + 30 * 24 * HOUR)
        give_credits(scene.team, 1000 * PENNY, expires_at=start + 60 * 24 * HOUR)
    for moment, cents in calls:
        one_by_one.desk.settle(one_by_one.desk.ask(cents, at=moment), cents, at=moment)
    first = calls[0][0]
    held = leased.desk.lease(sum(cents for _, cents in calls) * PENNY, at=first, seconds=86_400)
    for moment, cents in calls:
        leased.desk.draw(held, cents, at=moment, occurred_at=moment)

    assert written(leased) == written(one_by_one)
    assert Reservation.objects.get(pk=held.reservation_id).left_nanousd == 0
    assert not list(differences(start + 24 * HOUR))
