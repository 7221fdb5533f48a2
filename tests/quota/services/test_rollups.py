"""Rolling up: all kinds of usage by the product's own verbs, slice by slice, and what it refuses to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import TagRollup, UsageEvent, UsageRollup, UsageStraggler, UsageWatermark
from quota.selectors.reconcile import all_of, differences_of_sums
from quota.selectors.usage_series import Group, Owner, UsageRow, usage_by
from quota.services import rollups
from quota.services.balance import add_to_balance
from quota.services.corrections import correct_charge
from quota.services.reservations import charge_lapsed_holds
from quota.services.rollups import roll_up, start_anew
from teams.services.keys import reveal_key
from tests.helpers.citus import allow_changes_of_triggers
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Desk,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_api_key,
    make_scene,
)
from tests.helpers.hot_path import charging
from tests.helpers.usage_rows import by_key, sums_of, write_event

pytestmark = pytest.mark.django_db(transaction=True)

CENT = USD // 100
LATER = T0 + timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_seconds_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))


def use_in_every_way(scene: Scene) -> None:
    """Calls, also from Credits, a lease, a late event, a correction, what lapsed, an API key's."""
    give_credits(scene.team, 100 * CREDIT)
    allow_credits(scene.owner)
    wrong = scene.desk.use(5, tags=("night", "web"))
    scene.desk.use(9)
    held = scene.desk.lease(2 * CENT, seconds=60, at=LATER)
    scene.desk.draw(held, 1, at=LATER)
    charging(scene)
    scene.desk.lease(CENT, seconds=60, at=LATER)
    charge_lapsed_holds(at=LATER + timedelta(hours=1))
    late = ReportedEvent("late", scene.desk.key, "penny", {"calls": 1}, T0 - timedelta(days=6), tags=("web",))
    (result,) = record_events(gateway=scene.desk.gateway, events=[late], at=T0)
    assert result.is_new
    correct_charge(event=wrong, usage={"calls": 2}, reason="counted twice", at=LATER, by=None)
    add_to_balance(team=scene.team, nanousd=USD, source="test", cause="test", at=T0, by=None)
    api_key = make_api_key(scene.owner)
    Desk(scene.desk.gateway, reveal_key(api_key.texts.get())).use(3, tags=("night",))


def everything(scene: Scene) -> list[list[UsageRow]]:
    owners: list[Owner] = [scene.team, scene.owner, *scene.team.api_keys.all()]
    start, end = T0 - timedelta(days=7), T0 + timedelta(days=1)
    groupings = [(), *[(group,) for group in Group], (Group.HOUR, Group.MODEL)]
    return [usage_by(owner, start, end, *groups) for owner in owners for groups in groupings]


def test_usage_of_every_kind_is_shown_the_same_before_and_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollups, "EVENTS_PER_TRANSACTION", 2)
    scene = make_scene(limits(10 * CENT, 100 * USD), at=T0 - timedelta(days=7))
    use_in_every_way(scene)
    before = everything(scene)
    events = list(UsageEvent.objects.all())
    by_tag = usage_by(scene.team, T0 - timedelta(days=7), T0 + timedelta(days=1), Group.TAG)
    assert by_key(by_tag) == sums_of(
        events, scene.team, T0 - timedelta(days=7), T0 + timedelta(days=1), Group.TAG
    )

    assert roll_up() == len(events) == UsageEvent.objects.count()

    assert everything(scene) == before
    assert UsageStraggler.objects.count() == 0
    assert {row.width_hours for row in UsageRollup.objects.all()} == {1, 24}
    scene.desk.use(1, at=LATER)
    assert usage_by(scene.team, T0, T0 + timedelta(days=1))[0].amounts.calls == before[0][0].amounts.calls
    assert roll_up() == 1


def test_a_second_run_changes_nothing(scene: Scene) -> None:
    scene.desk.use(3, tags=("web",))
    assert [roll_up(), roll_up()] == [1, 0]
    day = UsageRollup.objects.get(width_hours=24)
    assert (day.calls, day.amount_nanousd, day.from_quota_nanousd, day.tagged) == (
        1,
        3 * CENT,
        3 * CENT,
        True,
    )
    assert (day.starts_at, day.team_id, day.membership_id) == (
        T0.replace(hour=0, minute=0),
        scene.team.pk,
        scene.owner.pk,
    )
    hour = TagRollup.objects.get(width_hours=1)
    assert (hour.starts_at, hour.tag, hour.calls) == (T0.replace(minute=0), "web", 1)


def test_what_is_seconds_old_is_left_for_the_next_run(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "BEHIND", timedelta(seconds=30))
    scene.desk.use(3)
    assert roll_up() == 0
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))
    assert [roll_up(), roll_up()] == [1, 0]


def test_many_stragglers_are_rolled_up_in_slices_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "EVENTS_PER_TRANSACTION", 2)
    first = write_event(scene.owner, 1)
    assert roll_up() == 1
    for number in range(7):
        write_event(scene.owner, 1, id=type(first.pk)(int=first.pk.int - (3_600_000 + number << 80)))
    write_event(scene.owner, 1)
    assert UsageStraggler.objects.count() == 7
    assert roll_up() == 8
    assert UsageStraggler.objects.count() == 0
    assert UsageRollup.objects.get(width_hours=24).calls == 9


def test_where_stragglers_are_not_noted_nothing_is_rolled_up_and_sums_are_right(scene: Scene) -> None:
    with connection.cursor() as cursor:
        allow_changes_of_triggers()
        cursor.execute("ALTER TABLE quota_usageevent DISABLE TRIGGER usage_with_an_older_id_is_noted")
        scene.desk.use(3)
        assert roll_up() == 0
        cursor.execute("ALTER TABLE quota_usageevent ENABLE TRIGGER usage_with_an_older_id_is_noted")
    assert UsageRollup.objects.count() == 0
    assert usage_by(scene.team, T0, LATER)[0].amounts.amount_nanousd == 3 * CENT
    assert roll_up() == 1


def test_data_of_another_server_waits_for_none_of_its_transactions(scene: Scene) -> None:
    scene.desk.use(3)
    roll_up()
    scene.desk.use(4)
    watermark = UsageWatermark.objects.get()
    watermark.next_id, watermark.next_transaction = watermark.rolled_up_to, 10**15
    watermark.save()
    assert roll_up() == 1
    assert UsageRollup.objects.get(width_hours=24).amount_nanousd == 7 * CENT


def test_all_is_forgotten_and_rolled_up_again(scene: Scene) -> None:
    scene.desk.use(3, tags=("web",))
    assert roll_up() == 1
    shown = everything(scene)
    start_anew()
    assert (UsageRollup.objects.count(), TagRollup.objects.count()) == (0, 0)
    assert everything(scene) == shown
    assert roll_up() == 1
    assert everything(scene) == shown
    assert not list(differences_of_sums("reports", all_of("reports")))


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("UPDATE quota_usagerollup SET amount_nanousd = 1", "a_rollup_is_the_sum_of_its_parts"),
        ("UPDATE quota_tagrollup SET overrun_nanousd = 1", "a_tag_rollup_is_the_sum_of_its_parts"),
        ("UPDATE quota_usagerollup SET width_hours = 2", "a_rollup_is_of_an_hour_or_a_day"),
        ("UPDATE quota_tagrollup SET width_hours = 7", "a_tag_rollup_is_of_an_hour_or_a_day"),
        ("UPDATE quota_usagewatermark SET id = 2", "there_is_one_watermark_of_usage"),
        ("UPDATE quota_usagewatermark SET next_transaction = 7", "the_watermark_of_usage_rises"),
    ],
)
def test_the_database_refuses_what_must_not_be(scene: Scene, change: str, constraint: str) -> None:
    scene.desk.use(3, tags=("web",))
    roll_up()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


def test_an_hour_is_rolled_up_into_one_row_also_of_a_subscription_key(scene: Scene) -> None:
    scene.desk.use(3)
    roll_up()
    row = UsageRollup.objects.get(width_hours=1)
    assert row.api_key_id is None
    row.pk = None
    with pytest.raises(IntegrityError, match="usage_is_rolled_up_once"), transaction.atomic():
        row.save(force_insert=True)
