"""Credits that pay for calls: access, policies, caps, lots."""

from datetime import timedelta

import pytest

from quota.errors import (
    NoUsableResources,
    QuotaExhausted,
)
from quota.hot_path.accounts import usable_credits
from quota.models import (
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    OwedUsage,
)
from quota.selectors.usage_bar import usage_bar
from quota.services.credits import expire_lots, freeze_lot, set_credit_access, set_own_cap, set_team_credits
from quota.services.entitlements import suspend_seat
from teams.models import Membership, Team
from teams.services.memberships import end_membership
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    make_desk,
    make_member,
    make_team,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND, counts, used

pytestmark = pytest.mark.django_db


def test_a_call_is_split_quota_first_and_the_rest_from_credits(scene: Scene) -> None:
    give_credits(scene.team, USD)
    scene.desk.use(985)
    answer = scene.desk.ask(12)
    assert (answer.from_quota_nanousd, answer.from_credits_nanousd) == (5 * PENNY, 7 * PENNY)
    event = scene.desk.settle(answer, 12)
    assert (event.from_quota_nanousd, event.from_credits_nanousd, event.overrun_nanousd) == (
        5 * PENNY,
        7 * PENNY,
        0,
    )
    assert CreditLedgerEntry.objects.for_team(scene.team).balance() == USD - 7 * PENNY
    assert CreditGrant.objects.for_team(scene.team).remaining() == USD - 7 * PENNY
    assert CreditMonth.objects.get(membership=scene.owner).used_nanousd == 7 * PENNY
    assert used(scene) == [990 * PENNY, 990 * PENNY]


def test_credits_pay_without_any_seat(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team, credits=True)
    event = make_desk(member).use(5)
    assert (event.from_quota_nanousd, event.from_credits_nanousd, event.seat_id) == (0, 5 * PENNY, None)
    assert event.windows == b""


def test_a_suspended_seat_is_no_seat_for_what_credits_pay_and_for_what_is_owed(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY)
    allow_credits(scene.owner, overflow="never")  # which is about a seat that works
    suspend_seat(seat=scene.seat, at=T0, by=None)
    event = scene.desk.settle(scene.desk.ask(1, at=T0 + MINUTE), 5, at=T0 + MINUTE)
    assert (event.seat_id, event.plan_id) == (None, None)
    assert (event.from_credits_nanousd, event.overrun_nanousd) == (3 * PENNY, 2 * PENNY)
    assert OwedUsage.objects.get().left_nanousd == 2 * PENNY
    assert used(scene) == []


def test_credits_are_not_for_a_member_without_access(scene: Scene) -> None:
    give_credits(scene.team, USD)
    with pytest.raises(NoUsableResources):
        make_desk(make_member(scene.team)).ask()


def test_too_few_credits_refuse_the_whole_call(scene: Scene) -> None:
    give_credits(scene.team, 6 * PENNY)
    scene.desk.use(985)
    before = counts()
    with pytest.raises(QuotaExhausted) as refusal:
        scene.desk.ask(12)
    assert refusal.value.fits_at == T0.replace(hour=15, minute=0)
    assert counts() == before
    assert scene.desk.ask(11).from_credits_nanousd == 6 * PENNY


def test_a_member_without_seat_reads_how_many_credits_lack(scene: Scene) -> None:
    give_credits(scene.team, 6 * PENNY)
    with pytest.raises(NoUsableResources, match=r"70 Credits, of which 60 Credits can be paid"):
        make_desk(make_member(scene.team, credits=True)).ask(7)


@pytest.mark.parametrize(("team_policy", "member_policy"), [("never", "allow"), ("allow", "never")])
def test_overflow_needs_the_team_and_the_member_to_allow_it(
    scene: Scene, team_policy: str, member_policy: str
) -> None:
    give_credits(scene.team, USD)
    set_team_credits(team=scene.team, overflow=team_policy, low_balance_nanousd=0, at=T0, by=None)
    allow_credits(scene.owner, overflow=member_policy)
    scene.desk.use(990)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(1, at=T0 + MINUTE)


def test_a_month_cap_bounds_what_is_used_and_held(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    desk = make_desk(member)
    desk.use(4)
    held = desk.ask(5, at=T0 + MINUTE)
    with pytest.raises(NoUsableResources):
        desk.ask(2, at=T0 + MINUTE)
    desk.settle(held, 5, at=T0 + 2 * MINUTE)
    assert desk.use(1, at=T0 + 3 * MINUTE).from_credits_nanousd == PENNY
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0.replace(day=30, hour=23, minute=59))
    assert desk.ask(10, at=T0.replace(month=7, day=1, hour=0, minute=0)).from_credits_nanousd == 10 * PENNY


def test_the_lower_of_the_granted_cap_and_the_members_own_holds_to_the_nanodollar(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    desk = make_desk(member)
    set_own_cap(membership=member, month_cap_nanousd=6 * PENNY, at=T0, by=member.user)
    assert desk.use(4, at=T0 + SECOND).from_credits_nanousd == 4 * PENNY
    assert usage_bar(member, T0 + MINUTE).credits.usable == 2 * PENNY
    with pytest.raises(NoUsableResources):
        desk.ask(3, at=T0 + MINUTE)

    set_own_cap(membership=member, month_cap_nanousd=0, at=T0 + MINUTE, by=member.user)
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0 + 2 * MINUTE)

    set_own_cap(membership=member, month_cap_nanousd=None, at=T0 + 2 * MINUTE, by=member.user)
    assert desk.ask(6, at=T0 + 3 * MINUTE).from_credits_nanousd == 6 * PENNY
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0 + 3 * MINUTE)


def test_not_without_me_leaves_the_quota_and_stops_behind_it(scene: Scene) -> None:
    give_credits(scene.team, USD)
    set_own_cap(membership=scene.owner, month_cap_nanousd=0, at=T0, by=scene.owner.user)
    scene.desk.use(985, at=T0 + SECOND)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(12, at=T0 + SECOND)
    assert scene.desk.ask(5, at=T0 + SECOND).from_quota_nanousd == 5 * PENNY


def test_late_usage_is_judged_by_the_own_cap_of_its_moment(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team, credits=True)
    set_own_cap(membership=member, month_cap_nanousd=0, at=T0 + 10 * MINUTE, by=member.user)
    set_own_cap(membership=member, month_cap_nanousd=PENNY, at=T0 + 20 * MINUTE, by=member.user)

    assert [usable(member, moment * MINUTE) for moment in (9, 10, 20)] == [USD, 0, PENNY]


def test_a_month_cap_is_the_persons_also_after_leaving_and_coming_back(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, month_cap=10 * PENNY)
    desk = make_desk(member)
    desk.use(4)
    desk.ask(3)
    other = make_member(scene.team)
    allow_credits(other, month_cap=10 * PENNY)
    make_desk(other).use(10)
    end_membership(membership=member, by=None, at=T0 + SECOND)
    back = make_member(scene.team, member.user, at=T0 + 2 * SECOND)
    allow_credits(back, month_cap=10 * PENNY)
    assert usage_bar(back, T0 + MINUTE).credits.month_used == 4 * PENNY
    with pytest.raises(NoUsableResources):
        make_desk(back).ask(4, at=T0 + MINUTE)
    assert make_desk(back).ask(3, at=T0 + MINUTE).from_credits_nanousd == 3 * PENNY


def test_access_ends_with_the_membership_for_late_reports_too(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team, credits=True)
    end_membership(membership=member, at=T0 + 10 * MINUTE, by=None)

    assert usable(member, 10 * MINUTE - timedelta(microseconds=1)) == USD
    assert usable(member, 10 * MINUTE) == 0


def test_changes_that_were_written_in_another_order_count_by_their_moments(scene: Scene) -> None:
    """Two servers, of which the second one's clock is behind."""
    give_credits(scene.team, USD)
    member = make_member(scene.team)
    allow_credits(member, at=T0 + 20 * MINUTE)
    allow_credits(member, month_cap=3 * PENNY, at=T0 + 10 * MINUTE)
    assert [usable(member, moment * MINUTE) for moment in (9, 10, 20)] == [USD, 0, 3 * PENNY]

    allow_credits(member)
    for policy, moment in (("never", 50), ("allow", 40)):
        at = T0 + moment * MINUTE
        set_team_credits(team=scene.team, overflow=policy, low_balance_nanousd=0, at=at, by=None)
    seated = [usable(member, moment * MINUTE, seated=True) for moment in (39, 40, 50)]
    assert seated == [0, USD, USD]


def test_the_policies_of_another_team_count_for_nothing(scene: Scene) -> None:
    def overflow(team: Team, *changes: tuple[str, int]) -> None:
        for policy, moment in changes:
            at = T0 + moment * MINUTE
            set_team_credits(team=team, overflow=policy, low_balance_nanousd=0, at=at, by=None)

    overflow(make_team(), ("never", 1), ("allow", 15), ("never", 16))
    give_credits(scene.team, USD)
    overflow(scene.team, ("never", 20), ("allow", 40))
    seen = [usable(scene.owner, moment * MINUTE, seated=True) for moment in (10, 20, 40, 60)]
    assert seen == [USD, 0, USD, USD]


def usable(member: Membership, moment: timedelta, *, seated: bool = False, at: timedelta = HOUR) -> int:
    """What a call that occurred so long after T0, and is reported `at` so long after it, may use."""
    return usable_credits(
        team_id=member.team_id,
        membership_id=member.pk,
        seated=seated,
        at=T0 + at,
        occurred_at=T0 + moment,
    )


def test_the_soonest_expiring_lot_is_drawn_from_first(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + timedelta(days=30))
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + timedelta(days=10))
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + timedelta(days=20))
    member = make_member(scene.team, credits=True)
    make_desk(member).use(7)
    left = (
        CreditGrant.objects.for_team(scene.team)
        .order_by("expires_at")
        .values_list("remaining_nanousd", flat=True)
    )
    assert list(left) == [0, 3 * PENNY, 5 * PENNY]


def test_an_expired_lot_pays_nothing_whether_or_not_the_sweep_ran(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + HOUR)
    desk = make_desk(make_member(scene.team, credits=True))
    desk.use(1, at=T0 + HOUR - SECOND)
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0 + HOUR)
    assert expire_lots(at=T0 + HOUR + 15 * MINUTE) == 1
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0 + HOUR + 16 * MINUTE)
    entry = CreditLedgerEntry.objects.get(kind="expiry")
    assert (entry.amount_nanousd, entry.at) == (-4 * PENNY, T0 + HOUR)
    assert expire_lots(at=T0 + 2 * HOUR) == 0


def test_one_nano_dollar_of_an_expired_lot_pays_nothing_either(scene: Scene) -> None:
    give_credits(scene.team, 1, expires_at=T0 + 10 * MINUTE)
    give_credits(scene.team, 5)
    before, after = (
        usable(scene.owner, 9 * MINUTE, at=9 * MINUTE),
        usable(scene.owner, 10 * MINUTE, at=10 * MINUTE),
    )
    assert (before, after) == (6, 5)


def test_a_call_that_was_authorized_before_a_lot_expired_still_draws_on_it(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + MINUTE)
    desk = make_desk(make_member(scene.team, credits=True))
    held = desk.ask(5)
    assert expire_lots(at=T0 + 5 * MINUTE) == 0
    event = desk.settle(held, 5, at=T0 + 5 * MINUTE)
    assert (event.from_credits_nanousd, event.overrun_nanousd) == (5 * PENNY, 0)


def test_a_frozen_lot_is_not_drawn_from(scene: Scene) -> None:
    give_credits(scene.team, USD)
    lot = CreditGrant.objects.get(team=scene.team)
    desk = make_desk(make_member(scene.team, credits=True))
    freeze_lot(lot=lot, frozen=True, at=T0, by=None)
    with pytest.raises(NoUsableResources):
        desk.ask()
    freeze_lot(lot=lot, frozen=False, at=T0, by=None)
    assert desk.ask().from_credits_nanousd == PENNY


def test_credits_that_were_held_pay_even_after_the_access_was_switched_off(scene: Scene) -> None:
    give_credits(scene.team, USD)
    member = make_member(scene.team, credits=True)
    desk = make_desk(member)
    held = desk.ask(5)
    set_credit_access(
        membership=member, allowed=False, overflow="allow", month_cap_nanousd=None, at=T0, by=None
    )
    event = desk.settle(held, 6)
    assert (event.from_credits_nanousd, event.overrun_nanousd) == (5 * PENNY, PENNY)
    assert usable_credits(team_id=scene.team.pk, membership_id=member.pk, seated=False, at=T0) == 0


def test_a_hold_that_an_expired_lot_pays_leaves_living_lots_free(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + MINUTE)
    give_credits(scene.team, 5 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    held = desk.ask(5)
    assert desk.ask(5, at=T0 + MINUTE).from_credits_nanousd == 5 * PENNY
    with pytest.raises(NoUsableResources):
        desk.ask(1, at=T0 + MINUTE)
    event = desk.settle(held, 5, at=T0 + 2 * MINUTE)
    assert (event.from_credits_nanousd, event.overrun_nanousd) == (5 * PENNY, 0)
    assert left(scene) == [0, 5 * PENNY]


def test_what_an_expired_lot_does_not_cover_of_a_hold_is_kept_of_living_lots(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY, expires_at=T0 + MINUTE)
    give_credits(scene.team, 4 * PENNY, expires_at=T0 + 2 * MINUTE)
    give_credits(scene.team, 5 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    first = desk.ask(4)  # 3 of the first lot, 1 of the second
    second = desk.ask(5, at=T0 + MINUTE)  # 3 of the second, 2 of the third
    with pytest.raises(NoUsableResources):
        desk.ask(4, at=T0 + 2 * MINUTE)
    third = desk.ask(3, at=T0 + 2 * MINUTE)
    for hold, calls in ((third, 3), (second, 5), (first, 4)):
        assert desk.settle(hold, calls, at=T0 + 3 * MINUTE).overrun_nanousd == 0
    assert left(scene) == [0, 0, 0]


def test_a_hold_that_was_made_at_the_moment_a_lot_expired_does_not_draw_on_it(scene: Scene) -> None:
    give_credits(scene.team, 5 * PENNY, expires_at=T0 + MINUTE)
    give_credits(scene.team, 5 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    desk.ask(3, at=T0 + MINUTE)
    with pytest.raises(NoUsableResources):
        desk.ask(3, at=T0 + 2 * MINUTE)
    assert desk.ask(2, at=T0 + 2 * MINUTE).from_credits_nanousd == 2 * PENNY


def left(scene: Scene) -> list[int]:
    lots = CreditGrant.objects.for_team(scene.team).order_by("expires_at")
    return list(lots.values_list("remaining_nanousd", flat=True))
