"""Usage without a seat that nothing covered: owed, paid by the next lot, waived, and refused until then."""

from datetime import timedelta

import pytest

from quota.errors import UsageOwed
from quota.models import CreditGrant, CreditLedgerEntry, OwedUsage, UsageEvent
from quota.selectors.reconcile import differences
from quota.selectors.usage_bar import usage_bar
from quota.services.owed import waive_owed_usage
from teams.models import AuditEntry, Membership
from teams.services.memberships import end_membership
from tests.helpers.factories import T0, Desk, Scene, give_credits, make_desk, make_member, make_seat
from tests.helpers.hot_path import MINUTE, PENNY, counts

pytestmark = pytest.mark.django_db


def overrun(scene: Scene) -> tuple[Membership, Desk]:
    """A member who used 10 cents with 3 cents of Credits."""
    give_credits(scene.team, 3 * PENNY)
    member = make_member(scene.team, credits=True)
    desk = make_desk(member)
    event = desk.settle(desk.ask(1), 10)
    assert (event.from_credits_nanousd, event.overrun_nanousd) == (3 * PENNY, 7 * PENNY)
    return member, desk


def left() -> list[tuple[int, int, int]]:
    return list(OwedUsage.objects.values_list("owed_nanousd", "left_nanousd", "waived_nanousd"))


def test_the_keys_of_who_owes_are_refused_and_those_of_others_are_not(scene: Scene) -> None:
    member, desk = overrun(scene)
    before = counts()
    with pytest.raises(UsageOwed):
        desk.ask(0, at=T0 + MINUTE)
    make_seat(scene.team, scene.plan, holder=member, at=T0 + MINUTE)
    with pytest.raises(UsageOwed):
        desk.ask(1, at=T0 + 2 * MINUTE)
    assert counts() == before
    assert not usage_bar(member, T0 + 2 * MINUTE).usable
    assert scene.desk.ask(1, at=T0 + MINUTE).from_quota_nanousd == PENNY


def test_the_next_lots_pay_first_what_is_owed(scene: Scene) -> None:
    _member, desk = overrun(scene)
    give_credits(scene.team, 5 * PENNY, at=T0 + MINUTE)
    assert left() == [(7 * PENNY, 2 * PENNY, 0)]
    with pytest.raises(UsageOwed):
        desk.ask(1, at=T0 + MINUTE)
    give_credits(scene.team, 5 * PENNY, at=T0 + 2 * MINUTE)
    assert left() == [(7 * PENNY, 0, 0)]
    assert CreditGrant.objects.for_team(scene.team).remaining() == 3 * PENNY
    assert CreditLedgerEntry.objects.for_team(scene.team).balance() == 3 * PENNY
    paid = CreditLedgerEntry.objects.filter(cause="usage that was owed").order_by("pk")
    event = UsageEvent.objects.get()
    assert list(paid.values_list("amount_nanousd", "event")) == [
        (-5 * PENNY, event.pk),
        (-2 * PENNY, event.pk),
    ]
    assert list(differences(T0 + 2 * MINUTE)) == []
    assert desk.ask(3, at=T0 + 3 * MINUTE).from_credits_nanousd == 3 * PENNY


def test_what_is_owed_in_one_team_is_not_paid_by_another(scene: Scene) -> None:
    member, _desk = overrun(scene)
    own = make_desk(member.user.memberships.exclude(pk=member.pk).get())
    give_credits(Membership.objects.exclude(pk=member.pk).get(user=member.user).team, 9 * PENNY)
    assert left() == [(7 * PENNY, 7 * PENNY, 0)]
    assert own.ask(9).from_credits_nanousd == 9 * PENNY


def test_an_operator_waives_what_is_left(scene: Scene) -> None:
    _member, desk = overrun(scene)
    give_credits(scene.team, 5 * PENNY, at=T0 + MINUTE)
    owed = OwedUsage.objects.get()
    for _ in range(2):
        waive_owed_usage(owed=owed, reason="our fault", at=T0 + MINUTE, by=None)
    assert left() == [(7 * PENNY, 0, 2 * PENNY)]
    entry = AuditEntry.objects.get(action="credits.waived")
    assert entry.details == {"usd": "$0.02", "reason": "our fault"}
    assert list(differences(T0 + MINUTE)) == []
    give_credits(scene.team, PENNY, at=T0 + 2 * MINUTE)
    assert desk.ask(1, at=T0 + 2 * MINUTE).from_credits_nanousd == PENNY


def test_who_leaves_and_comes_back_owes_the_same(scene: Scene) -> None:
    member, _desk = overrun(scene)
    end_membership(membership=member, by=None, at=T0 + MINUTE)
    back = make_member(scene.team, member.user, credits=True, at=T0 + 2 * MINUTE)
    with pytest.raises(UsageOwed):
        make_desk(back).ask(1, at=T0 + 3 * MINUTE)


def test_overrun_of_a_seat_is_not_owed(scene: Scene) -> None:
    event = scene.desk.settle(scene.desk.ask(1), 1000)
    assert event.overrun_nanousd == 10 * PENNY
    assert not OwedUsage.objects.exists()
    assert scene.desk.ask(1, at=T0 + timedelta(days=7)).from_quota_nanousd == PENNY
