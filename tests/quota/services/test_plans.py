"""Plan versions: made once, never edited, followed by newer ones."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from quota.errors import PlanNotSellable
from quota.models import Plan, PlanLimit, RateCard, RateCardPrice
from quota.services.entitlements import grant_seat
from quota.windows import Limit, Policy, Rule
from teams.models import Seat
from tests.helpers.factories import FIVE_HOURS, MONDAY, T0, Scene, limits, make_plan
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db


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
        Limit("5h", Rule(Policy.FIXED, 3600), 1),  # nothing to be aligned to
        Limit("5h", Rule(Policy.ROLLING, 3600, MONDAY), 1),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(limit: Limit) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_plan(of_limits=[limit])
    assert not Plan.objects.exists()


def test_a_limit_of_more_than_a_million_dollars_is_refused_by_the_service_and_the_database() -> None:
    with pytest.raises(InvalidValue):
        make_plan(of_limits=[Limit("5h", FIVE_HOURS, 10**15 + 1)])
    with pytest.raises(InvalidValue):
        make_plan(of_limits=[Limit("5h", FIVE_HOURS, -1)])
    plan = make_plan(of_limits=[Limit("5h", FIVE_HOURS, 10**15)])
    with pytest.raises(IntegrityError), transaction.atomic():
        plan.limits.update(limit_nanousd=10**15 + 1)


def test_two_limits_of_one_rule_are_refused() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_plan(of_limits=[Limit("a", FIVE_HOURS, 1), Limit("b", FIVE_HOURS, 2)])
