"""The webhook inbox: an event is stored once, worked until it is done, and never by two at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from billing.models import StripeEvent
from billing.services import inbox
from billing.stripe_api.snapshots import EventSnapshot
from billing.sync.inbox import work_inbox
from teams.models import AuditEntry
from tests.helpers.factories import T0, make_user
from tests.helpers.races import race

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def receive(id: str = "evt_1", kind: str = "account.updated", **about: object) -> bool:
    """An event about an object that is nothing of ours, unless told otherwise."""
    about = {"id": "acct_1", "object": "account", **about}
    snapshot = EventSnapshot(id, kind, about, T0)
    return inbox.receive(event=snapshot, payload={"id": id, "data": {"object": about}}, at=T0)


@pytest.mark.django_db
def test_an_event_is_kept_once() -> None:
    assert [receive(), receive(), receive("evt_2")] == [True, False, True]
    assert list(StripeEvent.objects.values_list("stripe_id", "kind", "subject")) == [
        ("evt_1", "account.updated", "acct_1"),
        ("evt_2", "account.updated", "acct_1"),
    ]


@pytest.mark.django_db
def test_what_is_not_ours_is_done_and_changed_nothing() -> None:
    receive()
    assert work_inbox(at=T0) == 1
    event = StripeEvent.objects.get()
    assert (event.done_at, event.attempts, event.changed, event.error) == (T0, 1, "", "")
    assert work_inbox(at=T0 + MINUTE) == 0


@pytest.mark.django_db
def test_who_claims_an_event_has_it_for_two_minutes_and_an_attempt_that_died_counts() -> None:
    receive()
    claimed = inbox.claim(at=T0)
    assert claimed is not None
    assert inbox.claim(at=T0 + 2 * MINUTE - SECOND) is None
    again = inbox.claim(at=T0 + 2 * MINUTE)
    assert again is not None
    assert (again.pk, again.attempts) == (claimed.pk, 2)


@pytest.mark.django_db
def test_the_longest_waiting_is_worked_first() -> None:
    receive("evt_1")
    receive("evt_2")
    first = inbox.claim(at=T0)
    assert first is not None
    inbox.fail(event=first, error="Stripe was away", at=T0)
    names = [event.stripe_id for event in StripeEvent.objects.due(T0 + MINUTE)]
    assert names == ["evt_2", "evt_1"]


@pytest.mark.django_db
def test_each_attempt_waits_twice_as_long_as_the_one_before_up_to_six_hours() -> None:
    receive()
    waits = []
    at = T0
    for _ in range(14):
        event = inbox.claim(at=at)
        assert event is not None
        inbox.fail(event=event, error="Stripe was away", at=at)
        event.refresh_from_db()
        assert event.next_attempt_at is not None
        waits.append((event.next_attempt_at - at).total_seconds())
        at = event.next_attempt_at
    assert waits[:4] == [15, 30, 60, 120]
    assert waits[-3:] == [6 * 3600] * 3


@pytest.mark.django_db
def test_a_replay_is_due_at_once_is_audited_and_keeps_the_first_note() -> None:
    receive()
    event = inbox.claim(at=T0)
    assert event is not None
    inbox.finish(event=event, changed=["seat 1 is added"], at=T0)
    inbox.replay(event=event, at=T0 + MINUTE, by=make_user())
    assert work_inbox(at=T0 + MINUTE) == 1
    event.refresh_from_db()
    assert (event.done_at, event.attempts, event.changed) == (T0 + MINUTE, 2, "seat 1 is added")
    assert AuditEntry.objects.filter(action="stripe_event.replayed", subject="evt_1").count() == 1


@pytest.mark.django_db
def test_a_failure_that_is_recorded_late_does_not_undo_what_was_done() -> None:
    receive()
    slow, fast = inbox.claim(at=T0), inbox.claim(at=T0 + 2 * MINUTE)
    assert slow is not None
    assert fast is not None
    inbox.finish(event=fast, changed=[], at=T0 + 2 * MINUTE)
    inbox.fail(event=slow, error="too slow", at=T0 + 3 * MINUTE)
    fast.refresh_from_db()
    assert (fast.done_at, fast.error) == (T0 + 2 * MINUTE, "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"payload": {}},
        {"stripe_id": "evt_2"},
        {"subject": "other"},
        {"received_at": T0 + MINUTE},
    ],
)
def test_the_database_refuses_to_change_an_event(change: dict[str, object]) -> None:
    receive()
    with pytest.raises(IntegrityError, match="an event stays as it came"), transaction.atomic():
        StripeEvent.objects.update(**change)


@pytest.mark.django_db
def test_the_database_refuses_to_forget_an_event() -> None:
    receive()
    with pytest.raises(IntegrityError, match="events are kept"), transaction.atomic():
        StripeEvent.objects.all().delete()
    assert StripeEvent.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("change", [{"done_at": T0}, {"dead_at": T0}, {"next_attempt_at": None}])
def test_the_database_refuses_an_event_that_is_neither_done_nor_due(change: dict[str, object]) -> None:
    receive()
    with pytest.raises(IntegrityError, match="an_event_is_done_or_dead_or_due"), transaction.atomic():
        StripeEvent.objects.update(**change)


@pytest.mark.django_db(transaction=True)
def test_workers_beside_each_other_get_an_event_each() -> None:
    for number in range(8):
        receive(f"evt_{number}")
    claimed = race(*[lambda: inbox.claim(at=T0)] * 8)
    assert {event.stripe_id for event in claimed if isinstance(event, StripeEvent)} == {
        f"evt_{number}" for number in range(8)
    }


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_delivered_many_times_at_once_is_new_once() -> None:
    assert sorted(str(answer) for answer in race(*[receive] * 8)) == ["False"] * 7 + ["True"]
