"""Without a stored row of access to Credits, the default that is shown is the one that is enforced."""

from __future__ import annotations

import pytest

from quota.hot_path.accounts import usable_credits
from quota.models import CreditAccess
from quota.selectors.credits import credit_access
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
