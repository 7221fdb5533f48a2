"""What undoes a charge says all that the charge said, and changes the rows of that charge and no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Model

from quota.hot_path.undo import undo_charge
from quota.models import (
    ApiKeyMonth,
    CreditGrant,
    CreditLedgerEntry,
    CreditMonth,
    OwedUsage,
    UsageBucket,
    UsageEvent,
)
from quota.services.balance import add_to_balance
from quota.services.credits import adjust_lot
from quota.windows import Limit, Policy, Rule
from teams.services.keys import reveal_key
from tests.helpers.factories import (
    T0,
    Desk,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_api_key,
    make_desk,
    make_member,
    make_scene,
    make_seat,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, parts, reported

pytestmark = pytest.mark.django_db

LATER = T0 + HOUR
NEXT_MONTH = T0 + timedelta(days=30)
SUMS: list[tuple[type[Model], str]] = [
    (UsageBucket, "used_nanousd"),
    (CreditGrant, "remaining_nanousd"),
    (CreditMonth, "used_nanousd"),
    (ApiKeyMonth, "used_nanousd"),
    (OwedUsage, "left_nanousd"),
    (OwedUsage, "waived_nanousd"),
]


def sums() -> dict[tuple[Any, ...], int]:
    """Every sum that a charge may be a part of, in cents."""
    return {
        (model.__name__, name, pk): value // PENNY
        for model, name in SUMS
        for pk, value in model._default_manager.values_list("pk", name)
    }


def changes(before: dict[tuple[Any, ...], int]) -> dict[tuple[Any, ...], int]:
    """By how many cents each sum that is another one now has changed."""
    return {key: value - before[key] for key, value in sums().items() if value != before[key]}


def undo(scene: Scene, event: UsageEvent) -> UsageEvent:
    with transaction.atomic():
        return undo_charge(event, at=LATER, by=scene.owner.user)


def make_crowd() -> Scene:
    """Two Teams alike, each with a second member at work: each has a seat of 10 cents and 100 of Credits."""
    for _ in range(2):
        scene = make_scene(limits(10 * PENNY, 50 * PENNY))
        give_credits(scene.team, 100 * PENNY, expires_at=T0 + timedelta(days=90))
        other = make_member(scene.team)
        make_seat(scene.team, scene.plan, holder=other)
        allow_credits(other)
        for desk in (scene.desk, make_desk(other)):
            desk.use(14)
            desk.use(13, at=NEXT_MONTH)
    return scene


def test_all_that_the_charge_said_is_said_again() -> None:
    scene = make_crowd()
    held = scene.desk.lease(3 * PENNY, at=LATER, agent="writer")
    said: dict[str, Any] = {"usage": {"calls": 2, "odd": 1}, "estimated": True, "tags": ("night",)}
    event = scene.desk.draw(held, 2, at=LATER, **said).event
    made = undo(scene, event)
    same = (
        *("gateway", "usage_hash", "reservation", "team", "membership", "key", "api_key", "api_text", "seat"),
        *("plan", "model", "modality", "agent", "tags", "usage", "estimated", "rate_card", "unpriced"),
        *("first_use_starts", "occurred_at"),
    )
    assert [getattr(made, name) for name in same] == [getattr(event, name) for name in same]
    assert (event.estimated, event.unpriced, event.agent, event.tags) == (True, True, "writer", ["night"])
    assert (made.is_undo, made.corrects, made.recorded_at) == (True, event, LATER)
    assert made.draw_id == f"\x1fundo {event.pk}"


def test_a_seats_charge_leaves_its_own_buckets_lot_and_month() -> None:
    scene = make_crowd()
    event = UsageEvent.objects.get(membership=scene.owner, occurred_at=T0)
    assert parts(event) == (10, 4, 0)
    before = sums()
    made = undo(scene, event)
    assert parts(made) == (-10, -4, 0)
    month = CreditMonth.objects.get(membership=scene.owner, month=T0.date().replace(day=1))
    buckets = UsageBucket.objects.filter(seat=scene.seat, starts_at__lte=T0)
    assert changes(before) == {
        ("CreditGrant", "remaining_nanousd", CreditGrant.objects.get(team=scene.team).pk): 4,
        ("CreditMonth", "used_nanousd", month.pk): -4,
        **{("UsageBucket", "used_nanousd", bucket.pk): -10 for bucket in buckets},
    }
    assert len(buckets) == 2
    entry = CreditLedgerEntry.objects.get(event=made)
    assert (entry.kind, entry.amount_nanousd, entry.by) == ("correction", 4 * PENNY, scene.owner.user)
    assert (entry.membership, entry.cause) == (scene.owner, "a charge that was corrected")


def paying(scene: Scene, name: str) -> Desk:
    return Desk(scene.desk.gateway, reveal_key(make_api_key(scene.owner, name).texts.get()))


def test_an_api_keys_charge_leaves_its_own_month(scene: Scene) -> None:
    add_to_balance(team=scene.team, nanousd=100 * PENNY, source="pi", cause="Bought", at=T0, by=None)
    desks = [paying(scene, name) for name in ("one", "two")]
    for desk in desks:
        desk.use(5, at=NEXT_MONTH)
    event, _other = (desk.use(6) for desk in desks)
    before = sums()
    undo(scene, event)
    month = ApiKeyMonth.objects.get(api_key=event.api_key, month=T0.date().replace(day=1))
    assert changes(before) == {
        ("CreditGrant", "remaining_nanousd", CreditGrant.objects.get().pk): 6,
        ("ApiKeyMonth", "used_nanousd", month.pk): -6,
    }


def test_what_is_owed_for_the_charge_is_waived_and_for_no_other(scene: Scene) -> None:
    member = make_member(scene.team)
    give_credits(scene.team, PENNY)
    allow_credits(member)
    desk = make_desk(member)
    first, second = desk.ask(0), desk.ask(0)
    event, other = desk.settle(first, 4), desk.settle(second, 5)
    owed = OwedUsage.objects.get(event=event)
    before = sums()
    undo(scene, event)
    of_owed = {key: cents for key, cents in changes(before).items() if key[0] == "OwedUsage"}
    assert of_owed == {
        ("OwedUsage", "left_nanousd", owed.pk): -3,
        ("OwedUsage", "waived_nanousd", owed.pk): 3,
    }
    assert OwedUsage.objects.get(event=other).left_nanousd == 5 * PENNY


def test_usage_that_nobody_asked_for_is_undone_without_an_id_of_a_draw(scene: Scene) -> None:
    event = reported(scene, "e", 3, T0, at=T0 + MINUTE)
    assert (undo(scene, event).draw_id, event.reservation) == ("", None)


def test_a_lot_holds_no_nano_dollar_more_than_it_was_granted(scene: Scene) -> None:
    give_credits(scene.team, 100 * PENNY, expires_at=T0 + timedelta(days=90))
    event = scene.desk.use(1_000)
    lot = CreditGrant.objects.get()
    assert parts(event) == (990, 10, 0)
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    adjust_lot(lot=lot, nanousd=1, kind=kind, cause="sorry", at=T0, by=None)
    undo(scene, event)
    entries = CreditLedgerEntry.objects.filter(grant=lot).order_by("pk").values_list("kind", "amount_nanousd")
    assert list(entries)[-2:] == [("adjustment", -1), ("correction", 10 * PENNY)]
    lot.refresh_from_db()
    assert lot.remaining_nanousd == 100 * PENNY


def test_windows_that_begin_together_lose_the_charge_once_each() -> None:
    monday = datetime(2026, 6, 8, tzinfo=UTC)
    scene = make_scene()
    event = scene.desk.use(5, at=monday)
    assert set(UsageBucket.objects.values_list("starts_at", flat=True)) == {monday}
    undo(scene, event)
    assert list(UsageBucket.objects.values_list("used_nanousd", flat=True)) == [0, 0]


def test_a_first_use_window_loses_what_was_counted_in_it_though_a_nearer_one_came_since() -> None:
    rule = Rule(Policy.FIRST_USE, 3600)
    scene = make_scene([Limit("hour", rule, 50 * PENNY)])
    now = T0 + 2 * HOUR
    scene.desk.use(1, at=now)
    between = reported(scene, "between", 2, now - 40 * MINUTE, at=now)
    reported(scene, "before", 4, now - 70 * MINUTE, at=now)
    made = undo(scene, between)
    assert made.first_use_starts == between.first_use_starts == {rule.key: now.isoformat()}
    buckets = UsageBucket.objects.order_by("starts_at").values_list("starts_at", "used_nanousd")
    assert list(buckets) == [(now - 70 * MINUTE, 4 * PENNY), (now, PENNY)]
