"""What a member might use at the moment of a call that is reported late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from quota.hot_path.accounts import usable_credits
from quota.models import PastCreditAccess
from tests.helpers.factories import T0, give_credits, make_member, make_scene

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.django_db
def test_the_first_change_after_the_call_says_it_in_whatever_order_changes_lie() -> None:
    scene = make_scene()
    give_credits(scene.team, 7)
    member = make_member(scene.team)
    for hours, allowed in ((3, False), (1, True), (2, False)):
        PastCreditAccess.objects.create(
            membership=member, until=T0 + hours * HOUR, allowed=allowed, overflow="allow"
        )
    late: dict[str, Any] = {
        "team_id": scene.team.pk,
        "membership_id": member.pk,
        "seated": False,
        "at": T0 + DAY,
    }
    moments = [T0 + half * HOUR / 2 for half in (0, 3, 5, 8)]
    assert [usable_credits(**late, occurred_at=moment) for moment in moments] == [7, 0, 0, 0]
