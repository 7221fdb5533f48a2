"""A handle names a key: which of its texts was used, in a crowd of keys with texts of their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from quota.errors import AlreadySettled, MomentOutOfRange
from quota.hot_path.authorize import Authorization
from quota.hot_path.bulk import RowResult, record_events, replay
from quota.hot_path.events import ReportedEvent
from quota.models import ApiKeyMonth, UsageEvent
from quota.services.balance import add_to_balance
from teams import keytext
from teams.models import ApiKey, ApiKeyText, KeyText, SubscriptionKey
from teams.services.api_keys import create_api_key, rotate_api_key
from teams.services.keys import reveal_key, rotate_key
from tests.helpers.factories import T0, Desk, Scene, make_member, make_scene
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND

pytestmark = pytest.mark.django_db


def event_of(text: KeyText, moment: datetime, name: str = "e") -> ReportedEvent:
    return ReportedEvent(name, "", "penny", {"calls": 1}, moment, key_handle=keytext.handle(text.key_id))


def record(scene: Scene, *events: ReportedEvent, at: datetime = T0 + HOUR) -> list[RowResult]:
    return record_events(gateway=scene.desk.gateway, events=events, at=at)


def api_key(scene: Scene, name: str, at: datetime = T0) -> ApiKey:
    return create_api_key(
        membership=scene.owner, name=name, month_cap_nanousd=None, expires_at=None, at=at, by=scene.owner.user
    )


@pytest.fixture
def paying(scene: Scene) -> Scene:
    add_to_balance(team=scene.team, nanousd=100 * PENNY, source="pi", cause="Bought", at=T0, by=None)
    return scene


def test_a_handle_stands_for_the_newest_text_that_its_member_had_at_the_call(scene: Scene) -> None:
    first = SubscriptionKey.objects.get(membership=scene.owner)
    rotate_key(membership=scene.owner, overlap=HOUR, at=T0 + 10 * MINUTE, by=scene.owner.user)
    second = SubscriptionKey.objects.get(membership=scene.owner, replaced_at=None)
    # Newer than both, and somebody else's.
    make_member(scene.team, at=T0 + 11 * MINUTE)
    moments = {
        "before": T0 + 9 * MINUTE,
        # Another server's clock may be five seconds apart.
        "just before": T0 + 10 * MINUTE - 5 * SECOND,
        "after": T0 + 20 * MINUTE,
    }
    rows = [event_of(first, moment, name) for name, moment in moments.items()]
    assert [row.is_new for row in record(scene, *rows)] == [True] * 3
    used = {event.external_id: event.key_id for event in UsageEvent.objects.all()}
    assert used == {"before": first.pk, "just before": second.pk, "after": second.pk}


def test_a_handle_of_an_api_key_stands_for_the_newest_text_of_that_key(paying: Scene) -> None:
    key = api_key(paying, "one")
    first = key.texts.get()
    at, by = T0 + 10 * MINUTE, paying.owner.user
    rotate_api_key(key=key, membership=paying.owner, overlap=HOUR, at=at, by=by)
    second = key.texts.get(replaced_at=None)
    other = api_key(paying, "two", T0 + 11 * MINUTE)
    rows = [
        event_of(first, T0 + 9 * MINUTE, "before"),
        event_of(first, T0 + 20 * MINUTE, "after"),
        event_of(other.texts.get(), T0 + 21 * MINUTE, "other"),
    ]
    assert [row.is_new for row in record(paying, *rows)] == [True] * 3
    used = {event.external_id: (event.api_key_id, event.api_text_id) for event in UsageEvent.objects.all()}
    assert used["before"] == (key.pk, first.pk)
    assert used["after"] == (key.pk, second.pk)
    assert used["other"] == (other.pk, other.texts.get().pk)


def test_usage_is_summed_for_its_own_api_key_and_month(paying: Scene) -> None:
    one, two = api_key(paying, "one"), api_key(paying, "two")
    may = T0 - timedelta(days=5)
    ApiKeyText.objects.update(created_at=may - HOUR)
    ApiKeyMonth.objects.create(
        team_id=one.team_id, api_key=one, month=may.date().replace(day=1), used_nanousd=7
    )
    ApiKeyMonth.objects.create(
        team_id=two.team_id, api_key=two, month=T0.date().replace(day=1), used_nanousd=9
    )
    assert [row.is_new for row in record(paying, event_of(one.texts.get(), T0))] == [True]
    sums = ApiKeyMonth.objects.order_by("month", "api_key")
    assert [*sums.values_list("api_key", "month__month", "used_nanousd")] == [
        (one.pk, 5, 7),
        (one.pk, 6, PENNY),
        (two.pk, 6, 9),
    ]


def named(scene: Scene, held: Authorization, text: KeyText, name: str = "e") -> ReportedEvent:
    return replace(event_of(text, T0, name), reservation_id=held.reservation_id)


def test_an_event_names_the_hold_of_its_key_by_the_handle(paying: Scene) -> None:
    key, other = api_key(paying, "one"), api_key(paying, "two")
    of_member = SubscriptionKey.objects.get(membership=paying.owner)
    asked = paying.desk.ask(2)
    paid = Desk(paying.desk.gateway, reveal_key(key.texts.get())).ask(3)
    unknown = record(
        paying,
        named(paying, asked, key.texts.get()),
        named(paying, paid, of_member),
        named(paying, paid, other.texts.get()),
        named(paying, asked, SubscriptionKey.objects.get(membership=make_member(paying.team))),
    )
    assert [getattr(row.refusal, "code", "") for row in unknown] == ["reservation_unknown"] * 4
    rows = named(paying, asked, of_member, "e1"), named(paying, paid, key.texts.get(), "e2")
    assert [row.is_new for row in record(paying, *rows)] == [True, True]
    assert set(UsageEvent.objects.values_list("reservation", flat=True)) == {
        asked.reservation_id,
        paid.reservation_id,
    }


def test_an_operator_records_an_event_of_a_hold_however_late_it_is(scene: Scene) -> None:
    text = SubscriptionKey.objects.get(membership=scene.owner)
    event, late = named(scene, scene.desk.ask(2), text), T0 + timedelta(days=61)
    (refused,) = record(scene, event, at=late)
    assert isinstance(refused.refusal, MomentOutOfRange)
    assert replay(gateway=scene.desk.gateway, row=event, received_at=late, at=late)
    assert UsageEvent.objects.get().amount_nanousd == PENNY


def test_an_event_of_a_settled_call_is_a_duplicate_and_of_a_settled_lease_refused() -> None:
    scene = make_scene()
    text = SubscriptionKey.objects.get(membership=scene.owner)
    asked, lease = scene.desk.ask(2), scene.desk.lease(5 * PENNY)
    scene.desk.settle(asked, 2)
    scene.desk.report(lease, {"calls": 1}, model="penny")
    of_call, of_lease = record(scene, named(scene, asked, text, "e1"), named(scene, lease, text, "e2"))
    assert (of_call.is_new, of_call.refusal) == (False, None)
    assert isinstance(of_lease.refusal, AlreadySettled)
    assert UsageEvent.objects.count() == 2


def test_a_handle_stands_for_the_text_of_a_moment_ago_where_the_call_was_made_since(scene: Scene) -> None:
    handle = f"kh-{scene.desk.key[6:18]}"
    new = rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0 + MINUTE, by=scene.owner.user)
    moment = T0 + 2 * MINUTE
    row = ReportedEvent("e", "", "penny", {"calls": 1}, moment, key_handle=handle)
    (result,) = record_events(gateway=scene.desk.gateway, events=[row], at=moment)
    assert result.is_new, result
    assert UsageEvent.objects.get().key == new
