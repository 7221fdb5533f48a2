"""Plan versions and rate cards: made once, never edited, refused whole when a line is wrong."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from quota.errors import ModelUnknown, PlanNotSellable, RateCardInvalid, SeatNotEntitled
from quota.models import Entitlement, Plan, PlanLimit, RateCard, RateCardPrice
from quota.services.entitlements import entitle_seat, grant_seat, resume_seat, suspend_seat
from quota.services.rate_cards import load_rate_card
from quota.windows import Limit, Policy, Rule
from teams.errors import InvalidValue
from teams.models import AuditEntry, Seat
from tests.helpers.factories import FIVE_HOURS, MONDAY, RATE_CARD, T0, Scene, limits, make_plan, make_team

pytestmark = pytest.mark.django_db

HEADER = "model,modality,meter,unit_size,usd_per_unit,context_over,note\n"
DAY = timedelta(days=1)


def test_a_new_version_ends_the_sale_of_the_one_before(scene: Scene) -> None:
    newer = make_plan("max", limits(1, 2))
    assert (newer.version, Plan.objects.current("max")) == (2, newer)
    with pytest.raises(PlanNotSellable):
        grant_seat(team=scene.team, plan=scene.plan, ends_at=None, source="x", at=T0, by=None)
    assert Seat.objects.for_team(scene.team).count() == 1
    # Who has the old version keeps it.
    assert scene.desk.ask().windows[0]["limit_nanousd"] == 9_900_000_000


def test_what_was_sold_cannot_be_edited(scene: Scene) -> None:
    limit = scene.plan.limits.all()[0]
    changes: list[Callable[[], Any]] = [
        lambda: Plan.objects.filter(pk=scene.plan.pk).update(agents_max=99),
        lambda: PlanLimit.objects.filter(pk=limit.pk).update(limit_nanousd=1),
        lambda: PlanLimit.objects.filter(pk=limit.pk).delete(),
        lambda: PlanLimit.objects.create(
            plan=scene.plan, name="day", policy="rolling", length_seconds=86400, limit_nanousd=1
        ),
        lambda: RateCardPrice.objects.update(nanousd_per_unit=1),
        lambda: RateCardPrice.objects.all().delete(),
        lambda: RateCard.objects.update(effective_from=T0),
    ]
    for change in changes:
        with pytest.raises(IntegrityError, match="is refused"), transaction.atomic():
            change()
    assert scene.desk.ask(990).from_quota_nanousd == 9_900_000_000


def test_a_version_that_nobody_has_may_still_be_corrected() -> None:
    plan = make_plan()
    limit = plan.limits.get(name="5h")
    limit.limit_nanousd = 1
    limit.save()
    plan.limits.get(name="week").delete()
    assert list(plan.limits.values_list("name", "limit_nanousd")) == [("5h", 1)]


@pytest.mark.parametrize(
    "limit",
    [
        Limit("5h", Rule(Policy.ROLLING, 3599), 1),
        Limit("5h", Rule(Policy.ROLLING, 3601), 1),  # has no sixty whole steps
        Limit("5h", Rule(Policy.ROLLING, 32 * 86400), 1),
        Limit("5h", Rule(Policy.ROLLING, 3600), -1),
        Limit("5h", Rule(Policy.FIXED, 3600), 1),  # nothing to be aligned to
        Limit("5h", Rule(Policy.ROLLING, 3600, MONDAY), 1),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(limit: Limit) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_plan(of_limits=[limit])
    assert not Plan.objects.exists()


def test_two_limits_of_one_rule_are_refused() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_plan(of_limits=[Limit("a", FIVE_HOURS, 1), Limit("b", FIVE_HOURS, 2)])


# Entitlements


def test_the_same_entitlement_told_twice_is_one(scene: Scene) -> None:
    for _ in range(2):
        entitle_seat(
            seat=scene.seat, plan=scene.plan, starts_at=T0, ends_at=T0 + DAY, source="si_1", at=T0, by=None
        )
    sources = Entitlement.objects.filter(seat=scene.seat).order_by("pk").values_list("source", flat=True)
    assert list(sources) == ["test", "si_1"]


def test_an_entitlement_that_ends_before_it_begins_is_refused(scene: Scene) -> None:
    with pytest.raises(InvalidValue):
        entitle_seat(seat=scene.seat, plan=scene.plan, starts_at=T0, ends_at=T0, source="x", at=T0, by=None)
    assert Entitlement.objects.count() == 1


def test_a_seat_without_a_plan_cannot_be_suspended() -> None:
    seat = Seat.objects.create(team=make_team(), created_at=T0)
    with pytest.raises(SeatNotEntitled):
        suspend_seat(seat=seat, at=T0, by=None)


def test_suspending_twice_is_once(scene: Scene) -> None:
    suspend_seat(seat=scene.seat, at=T0, by=None)
    suspend_seat(seat=scene.seat, at=T0 + DAY, by=None)
    assert Entitlement.objects.get().suspended_at == T0
    resume_seat(seat=scene.seat, at=T0 + DAY, by=None)
    actions = AuditEntry.objects.filter(action__startswith="seat.").values_list("action", flat=True)
    assert [a for a in actions if a in ("seat.suspended", "seat.resumed")] in (
        ["seat.suspended", "seat.resumed"],
        ["seat.resumed", "seat.suspended"],
    )


# Rate cards


def test_a_card_is_in_force_until_the_next_one(scene: Scene) -> None:
    dearer = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.02")
    _, is_new = load_rate_card(text=dearer, effective_from=T0 + DAY, at=T0, by=None)
    assert is_new
    assert scene.desk.ask(1, at=T0 + DAY - timedelta(microseconds=1)).estimate_nanousd == 10_000_000
    assert scene.desk.ask(1, at=T0 + DAY).estimate_nanousd == 20_000_000


def test_a_model_that_the_next_card_lacks_is_withdrawn_with_it(scene: Scene) -> None:
    without = "\n".join(line for line in RATE_CARD.splitlines() if not line.startswith("penny"))
    load_rate_card(text=without, effective_from=T0 + DAY, at=T0, by=None)
    assert scene.desk.ask(1).estimate_nanousd == 10_000_000
    with pytest.raises(ModelUnknown):
        scene.desk.ask(1, at=T0 + DAY)


def test_the_same_list_is_not_loaded_twice(scene: Scene) -> None:
    card, is_new = load_rate_card(text=RATE_CARD, effective_from=T0, at=T0, by=None)
    assert not is_new
    assert card.effective_from == MONDAY
    assert RateCard.objects.count() == 1


def test_two_lists_cannot_begin_at_one_moment(scene: Scene) -> None:
    with pytest.raises(RateCardInvalid, match="Another rate card"):
        load_rate_card(text=RATE_CARD + "x,y,z,1,1,,\n", effective_from=MONDAY, at=T0, by=None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "first line"),
        ("model,price\n", "first line"),
        (HEADER, "no prices"),
        (HEADER + "m,x,calls,1,0.0000000001,,\n", "Line 2: '0.0000000001' is not a dollar amount"),
        (HEADER + "m,x,calls,one,1,,\n", "Line 2"),
        (HEADER + "m,x,calls,0,1,,\n", "Line 2: a unit is at least 1"),
        (HEADER + "m,x,calls,1,-1,,\n", "Line 2: a unit is at least 1"),
        (HEADER + ",x,calls,1,1,,\n", "Line 2: model, modality and meter are needed"),
        (HEADER + "m,x,calls\n", "Line 2"),
        (HEADER + "m,x,calls,1,1,,\nm,x,calls,1,2,,\n", "Line 3: m calls is priced twice"),
        (HEADER + "m,x,calls,1,1,,\nm,y,clips,1,2,,\n", "Line 3: m has two modalities"),
        (HEADER + "m,x,tokens,1,1,512000,\n", "none for small ones"),
    ],
)
def test_a_list_with_a_wrong_line_is_refused_whole(text: str, what: str) -> None:
    with pytest.raises(RateCardInvalid, match=what):
        load_rate_card(text=text, effective_from=T0, at=T0, by=None)
    assert not RateCard.objects.exists()
    assert not RateCardPrice.objects.exists()


def test_the_functions_of_the_hot_path_can_be_taken_back() -> None:
    """Migration 0003 names what it drops by the arguments; a changed argument must not be forgotten there."""
    module = import_module("quota.migrations.0003_hot_path")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(module.DROP)
        cursor.execute("SELECT count(*) FROM pg_proc WHERE proname ~ '^quota_.*(facts|credits)$'")
        assert cursor.fetchone() == (0,)
        transaction.set_rollback(True)
