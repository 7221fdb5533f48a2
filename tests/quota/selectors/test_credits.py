"""Without a stored row of access to Credits, the default that is shown is the one that is enforced."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.hot_path.accounts import usable_credits
from quota.models import CreditAccess, CreditGrant
from quota.selectors.credits import LOTS_SHOWN, credit_access, first_lots
from quota.selectors.usage_bar import usage_bar
from quota.services.credits import set_credit_access
from teams.models import Membership
from teams.services.memberships import end_membership
from teams.services.teams import transfer_ownership
from tests.helpers.factories import CREDIT, T0, Scene, give_credits, make_member

pytestmark = pytest.mark.django_db

POOL = 1_000 * CREDIT


@pytest.fixture
def pool(scene: Scene) -> Scene:
    give_credits(scene.team, POOL)
    return scene


def enforced(member: Membership) -> int:
    return usable_credits(team_id=member.team_id, membership_id=member.pk, seated=False, at=T0)


def test_who_made_the_team_may_use_its_credits_and_anyone_else_may_not(pool: Scene) -> None:
    guest = make_member(pool.team)
    assert not CreditAccess.objects.exists()
    for member, allowed in ((pool.owner, True), (guest, False)):
        assert credit_access(member).allowed is allowed
        assert usage_bar(member, T0).credits.access is allowed
        assert enforced(member) == (POOL if allowed else 0)


def test_a_transfer_of_ownership_changes_nobodys_access(pool: Scene) -> None:
    heir = make_member(pool.team)
    transfer_ownership(team=pool.team, to=heir, by=pool.owner.user, at=T0)
    for member, allowed in ((pool.owner, True), (heir, False)):
        member.refresh_from_db()
        assert credit_access(member).allowed is allowed
        assert enforced(member) == (POOL if allowed else 0)


def test_of_many_lots_the_first_are_shown_and_the_others_added_up(pool: Scene) -> None:
    for days in range(1, LOTS_SHOWN + 2):
        give_credits(pool.team, days * CREDIT, expires_at=T0 + timedelta(days=days))
    lots = CreditGrant.objects.for_team(pool.team).credits()

    first = first_lots(lots, T0 + timedelta(days=1))

    assert [lot.amount_nanousd for lot in first.shown] == [days * CREDIT for days in range(2, LOTS_SHOWN + 2)]
    assert (first.more, first.more_nanousd) == (1, POOL)


def test_a_stored_row_stands_above_the_default(pool: Scene) -> None:
    guest = make_member(pool.team, credits=True)
    set_credit_access(
        membership=pool.owner, allowed=False, overflow="allow", month_cap_nanousd=None, at=T0, by=None
    )
    assert (enforced(pool.owner), enforced(guest)) == (0, POOL)


def test_access_ends_with_the_membership(pool: Scene) -> None:
    guest = make_member(pool.team, credits=True)
    end_membership(membership=guest, by=None, at=T0)
    assert enforced(guest) == 0
