"""A wrong charge is undone where it fell, and the right one charged: windows, lots, months, what is owed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from django.db.models import QuerySet

from quota.errors import ChargeCorrected, InvalidUsage, ModelUnknown
from quota.models import (
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    OwedUsage,
    UsageBucket,
    UsageEvent,
)
from quota.selectors.reconcile import differences
from quota.selectors.usage_bar import usage_bar
from quota.selectors.usage_series import usage_by
from quota.services.balance import add_to_balance
from quota.services.corrections import Correction, correct_charge
from quota.services.credits import adjust_lot, expire_lots
from quota.windows import Limit, Policy, Rule
from teams.models import AuditEntry
from teams.services.keys import reveal_key
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    give_credits,
    limits,
    make_api_key,
    make_desk,
    make_member,
    make_scene,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, parts, windows_after, windows_before

pytestmark = pytest.mark.django_db

LATER = T0 + HOUR


def correct(event: UsageEvent, cents: int | None, *, at: datetime = LATER) -> Correction:
    usage = None if cents is None else {"calls": cents}
    return correct_charge(event=event, usage=usage, reason="counted twice", at=at, by=None)


def bar(scene: Scene) -> list[int]:
    return [window.used // PENNY for window in usage_bar(scene.owner, LATER).windows]


def test_the_undoing_event_says_the_same_with_negative_amounts(scene: Scene) -> None:
    event = scene.desk.use(10)
    done = correct(event, 4)
    assert (parts(done.undo), parts(done.right)) == ((-10, 0, 0), (4, 0, 0))
    for made in (done.undo, done.right):
        assert made is not None
        assert (made.corrects_id, made.occurred_at, made.recorded_at) == (event.pk, T0, LATER)
        assert (made.reservation_id, made.seat_id, made.model) == (
            event.reservation_id,
            event.seat_id,
            "penny",
        )
    assert [w.used for w in windows_before(done.undo)] == [10 * PENNY] * 2
    assert [w.used for w in windows_after(done.undo)] == [0, 0]
    assert bar(scene) == [4, 4]
    assert not list(differences(LATER))
    entry = AuditEntry.objects.get(action="usage.corrected")
    assert entry.details == {
        "receipt": str(event.pk),
        "before": "$0.10",
        "after": "$0.04",
        "reason": "counted twice",
    }


def test_a_charge_that_should_not_be_is_undone_alone(scene: Scene) -> None:
    assert correct(scene.desk.use(10), None).right is None
    assert bar(scene) == [0, 0]
    assert usage_by(scene.team, T0, LATER)[0].amounts.calls == 0


def test_a_correction_counts_as_one_call(scene: Scene) -> None:
    correct(scene.desk.use(10), 4)
    scene.desk.use(1)
    amounts = usage_by(scene.team, T0, LATER)[0].amounts
    assert (amounts.calls, amounts.amount_nanousd) == (2, 5 * PENNY)


def test_a_charge_is_corrected_once_and_then_its_replacement(scene: Scene) -> None:
    event = scene.desk.use(10)
    done = correct(event, 4)
    for wrong in (event, done.undo):
        with pytest.raises(ChargeCorrected):
            correct(wrong, 5)
    assert done.right is not None
    assert parts(correct(done.right, 5).right) == (5, 0, 0)
    assert (bar(scene), list(differences(LATER))) == ([5, 5], [])


def test_what_cannot_be_charged_undoes_nothing(scene: Scene) -> None:
    event = scene.desk.use(10)
    with pytest.raises(InvalidUsage):
        correct_charge(event=event, usage={}, reason="x", at=LATER, by=None)
    with pytest.raises(ModelUnknown):
        correct_charge(event=event, usage={"calls": 1}, model="whisper", reason="x", at=LATER, by=None)
    assert (
        UsageEvent.objects.count(),
        bar(scene),
        AuditEntry.objects.filter(action="usage.corrected").count(),
    ) == (
        1,
        [10, 10],
        0,
    )


def test_credits_come_back_to_the_lots_they_came_from(scene: Scene) -> None:
    give_credits(scene.team, 3 * PENNY, expires_at=T0 + timedelta(days=2))
    give_credits(scene.team, 10 * PENNY, expires_at=T0 + timedelta(days=3))
    scene.desk.use(989)
    event = scene.desk.settle(scene.desk.ask(6), 6)
    assert parts(event) == (1, 5, 0)
    done = correct(event, 3)
    assert parts(done.right) == (1, 2, 0)
    lots = CreditGrant.objects.order_by("expires_at").values_list("remaining_nanousd", flat=True)
    assert list(lots) == [PENNY, 10 * PENNY]
    assert CreditMonth.objects.get().used_nanousd == 2 * PENNY
    kinds = CreditLedgerEntry.objects.filter(event=done.undo).values_list("kind", "amount_nanousd")
    assert list(kinds) == [("correction", 3 * PENNY), ("correction", 2 * PENNY)]
    assert not list(differences(LATER))


def test_what_fell_on_a_lot_that_has_expired_comes_back_for_thirty_days(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY, expires_at=T0 + HOUR)
    desk = make_desk(make_member(scene.team, credits=True))
    event = desk.use(6)
    at = T0 + timedelta(days=1)
    expire_lots(at=at)
    assert correct(event, None, at=at).right is None
    old, new = CreditGrant.objects.order_by("granted_at", "pk")
    assert (old.remaining_nanousd, new.remaining_nanousd) == (0, 6 * PENNY)
    assert new.expires_at == at + timedelta(days=30)
    assert not list(differences(at))


def test_a_lot_that_an_operator_added_to_gets_back_no_more_than_it_was_granted(scene: Scene) -> None:
    give_credits(scene.team, 30 * PENNY)
    event = make_desk(make_member(scene.team, credits=True)).use(12)
    (lot,) = CreditGrant.objects.all()
    kinds = CreditLedgerEntry.Kind
    adjust_lot(lot=lot, nanousd=5 * PENNY, kind=kinds.ADJUSTMENT, cause="sorry", at=LATER, by=None)
    correct(event, None)
    entries = CreditLedgerEntry.objects.order_by("pk").values_list("kind", "amount_nanousd")
    assert [(kind, nanousd // PENNY) for kind, nanousd in entries] == [
        ("purchase", 30),
        ("use", -12),
        ("adjustment", 5),
        ("adjustment", -5),
        ("correction", 12),
    ]
    assert CreditGrant.objects.get().remaining_nanousd == 30 * PENNY
    assert not list(differences(LATER))


def test_what_was_owed_need_not_be_paid_and_what_was_paid_comes_back(scene: Scene) -> None:
    give_credits(scene.team, 2 * PENNY)
    desk = make_desk(make_member(scene.team, credits=True))
    event = desk.settle(desk.ask(1), 10)
    assert parts(event) == (0, 2, 8)
    give_credits(scene.team, 5 * PENNY, at=T0 + MINUTE)  # which pays five of the eight
    assert OwedUsage.objects.get().left_nanousd == 3 * PENNY
    correct(event, None)
    assert OwedUsage.objects.get().left_nanousd == 0
    assert sum(CreditGrant.objects.values_list("remaining_nanousd", flat=True)) == 7 * PENNY
    assert not list(differences(LATER))
    desk.ask(7, at=LATER)


def test_an_overrun_of_a_seat_leaves_its_windows(scene: Scene) -> None:
    event = scene.desk.settle(scene.desk.ask(900), 1200)
    assert parts(event) == (990, 0, 210)
    assert parts(correct(event, 900).right) == (900, 0, 0)
    assert (bar(scene), list(differences(LATER))) == ([900, 900], [])


WINDOWS = {
    "rolling and fixed": limits(200 * PENNY, 900 * PENNY),
    "first_use": [Limit("5h", Rule(Policy.FIRST_USE, 18_000), 200 * PENNY)],
}


def never_corrected() -> QuerySet[UsageEvent]:
    """By two statements, since on a cluster none joins events by an id alone."""
    corrected = UsageEvent.objects.exclude(corrects=None).values_list("corrects", flat=True)
    return UsageEvent.objects.filter(is_undo=False).exclude(pk__in=list(corrected))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("windows", WINDOWS)
def test_after_any_corrections_the_books_agree_and_nothing_wrong_is_left(windows: str, seed: int) -> None:
    chance = random.Random(seed)
    scene = make_scene(WINDOWS[windows])
    give_credits(scene.team, 300 * PENNY)
    moment = T0
    for _ in range(20):
        moment += timedelta(minutes=chance.randrange(90))
        scene.desk.use(chance.randrange(1, 60), at=moment)
        if chance.random() < 0.5:
            wrong = never_corrected().order_by("?").first()
            assert wrong is not None
            cents = chance.choice([None, chance.randrange(1, 60)])
            right = correct(wrong, cents, at=moment).right
            assert (right is None) == (cents is None)
    assert not list(differences(moment))
    sums = [event.from_quota_nanousd + event.overrun_nanousd for event in never_corrected()]
    for rule in {bucket.rule for bucket in UsageBucket.objects.all()}:
        assert sum(bucket.used_nanousd for bucket in UsageBucket.objects.filter(rule=rule)) == sum(sums)


@pytest.mark.parametrize("by_api_key", [False, True])
def test_a_correction_leaves_what_an_open_lease_still_holds_to_its_draws(by_api_key: bool) -> None:
    scene = make_scene(limits(10 * PENNY, 50 * PENNY))
    give_credits(scene.team, 30 * PENNY)
    desk = scene.desk
    if by_api_key:
        add_to_balance(team=scene.team, nanousd=14 * PENNY, source="pi", cause="Bought", at=T0, by=None)
        key = make_api_key(scene.owner)
        desk = Desk(desk.gateway, reveal_key(key.texts.get()))
    held = desk.lease(14 * PENNY)
    event = desk.draw(held, 1, at=T0 + MINUTE).event
    now = T0 + 2 * MINUTE
    right = correct(event, 40, at=now).right
    # One that was drawn is free again; the other 13 are the lease's.
    assert right is not None
    paid = right.from_balance_nanousd if by_api_key else right.from_quota_nanousd + right.from_credits_nanousd
    assert paid // PENNY == (1 if by_api_key else 27)
    assert not list(differences(now))
    rest = desk.draw(held, 13, at=now).event
    assert rest.overrun_nanousd == 0
    assert not list(differences(now))
