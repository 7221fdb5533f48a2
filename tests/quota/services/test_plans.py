"""Plan versions: drafted, published once, never edited from then on, followed by newer ones."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from quota.errors import PlanDraftExists, PlanNotSellable, PlanPublished
from quota.models import Entitlement, Plan, PlanLimit, RateCard, RateCardPrice
from quota.services.entitlements import grant_seat
from quota.services.plans import change_draft, discard_draft, put_on_sale, withdraw_plan
from quota.windows import Limit, Policy, Rule
from teams.models import AuditEntry, Seat
from tests.helpers.factories import FIVE_HOURS, MONDAY, T0, Scene, limits, make_draft, make_plan
from tokenplan.kit.errors import InvalidValue, NotFound

pytestmark = pytest.mark.django_db


def test_a_new_version_ends_the_sale_of_the_one_before(scene: Scene) -> None:
    newer = make_plan("max", limits(1, 2))
    assert (newer.version, Plan.objects.current("max")) == (2, newer)
    with pytest.raises(PlanNotSellable):
        grant_seat(team=scene.team, plan=scene.plan, ends_at=None, source="x", at=T0, by=None)
    assert Seat.objects.for_team(scene.team).count() == 1
    # Who has the old version keeps it.
    assert scene.desk.ask().windows[0].limit.nanousd == 9_900_000_000


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


def test_a_draft_changes_nothing_on_sale_and_nobody_can_have_it(scene: Scene) -> None:
    draft = make_draft("max", limits(1, 2))
    assert (draft.version, Plan.objects.current("max")) == (2, scene.plan)
    with pytest.raises(PlanNotSellable):
        grant_seat(team=scene.team, plan=draft, ends_at=None, source="x", at=T0, by=None)
    with pytest.raises(IntegrityError, match="the plan is a draft"), transaction.atomic():
        Entitlement.objects.update(plan=draft)


def test_a_draft_is_changed_as_often_as_needed_and_published_once(scene: Scene) -> None:
    draft = make_draft("max", limits(1, 2))
    change_draft(
        plan=draft, terms=replace(draft.terms, agents=(1, 9), limits=tuple(limits(3, 4))), at=T0, by=None
    )
    draft = Plan.objects.get(pk=draft.pk)
    assert (draft.agents_max, [limit.nanousd for limit in draft.terms.limits]) == (9, [3, 4])
    put_on_sale(plan=draft, at=T0, by=None)
    for verb in (put_on_sale, discard_draft, partial(change_draft, terms=draft.terms)):
        with pytest.raises(PlanPublished, match="published already"):
            verb(plan=draft, at=T0, by=None)
    actions = AuditEntry.objects.filter(subject="Max v2").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["plan.drafted", "plan.draft_changed", "plan.published"]


def test_a_plan_has_one_draft_at_a_time(scene: Scene) -> None:
    draft = make_draft()
    with pytest.raises(PlanDraftExists):
        make_draft()
    with pytest.raises(IntegrityError, match="a_plan_has_one_draft"), transaction.atomic():
        Plan.objects.create(
            code="max", version=9, name="Max", rank=2, agents_min=1, agents_max=1, created_at=T0
        )
    discard_draft(plan=draft, at=T0, by=None)
    assert Plan.objects.get() == scene.plan
    with pytest.raises(NotFound):
        discard_draft(plan=draft, at=T0, by=None)
    assert make_draft().version == 2


def test_a_withdrawn_plan_is_kept_by_its_holders_and_comes_back_as_a_new_version(scene: Scene) -> None:
    withdraw_plan(plan=scene.plan, at=T0, by=None)
    with pytest.raises(PlanNotSellable):
        grant_seat(team=scene.team, plan=scene.plan, ends_at=None, source="x", at=T0, by=None)
    with pytest.raises(PlanNotSellable):
        withdraw_plan(plan=scene.plan, at=T0, by=None)
    assert scene.desk.ask().windows[0].limit.nanousd == 9_900_000_000
    assert AuditEntry.objects.filter(action="plan.withdrawn", subject="Max v1").count() == 1
    with pytest.raises(IntegrityError, match="new version"), transaction.atomic():
        Plan.objects.update(sellable=True)
    assert make_plan() == Plan.objects.current("max")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda: Plan.objects.filter(version=2).update(sellable=True),
            "a_plan_has_one_version_on_sale|a_draft_is_not",
        ),
        (lambda: Plan.objects.filter(version=2).update(version=3), "new version"),
        (
            lambda: Plan.objects.filter(version=1)._raw_delete("default"),
            "withdraw the plan from sale instead",
        ),
        (lambda: Plan.objects.filter(version=1).update(published_at=None, sellable=False), "new version"),
    ],
)
def test_the_database_refuses_a_way_around_publishing(change: Callable[[], object], why: str) -> None:
    make_plan()
    make_draft()
    with pytest.raises(IntegrityError, match=why), transaction.atomic():
        change()


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
    plan = make_draft(of_limits=[Limit("5h", FIVE_HOURS, 10**15)])
    with pytest.raises(IntegrityError), transaction.atomic():
        plan.limits.update(limit_nanousd=10**15 + 1)


def test_two_limits_of_one_rule_are_refused() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_plan(of_limits=[Limit("a", FIVE_HOURS, 1), Limit("b", FIVE_HOURS, 2)])
