"""What names a call that is not there is found: nothing else says so."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import CreditLedgerEntry, OwedUsage, Reservation, UsageEvent
from quota.selectors.reconcile import differences
from quota.services.corrections import correct_charge
from tests.helpers.drift import named, plant
from tests.helpers.factories import T0, USD, Scene, allow_credits, give_credits, limits, make_scene

pytestmark = pytest.mark.django_db

CENT = USD // 100
HOUR = timedelta(hours=1)
GONE = str(uuid.UUID(int=2**120))


def found() -> list[str]:
    return [str(difference) for difference in differences(T0 + HOUR)]


def report(scene: Scene, id: str) -> UsageEvent:
    """A call that was made without asking."""
    event = ReportedEvent(id, scene.desk.key, "penny", {"calls": 1}, T0)
    record_events(gateway=scene.desk.gateway, events=[event], at=T0)
    return UsageEvent.objects.get(external_id=id)


def test_a_ledger_entry_of_a_charge_that_is_not_there_is_found() -> None:
    scene = make_scene(limits(CENT, CENT))
    give_credits(scene.team, USD)
    allow_credits(scene.owner)
    scene.desk.use(5)
    entry = CreditLedgerEntry.objects.get(kind="use")
    assert found() == []
    plant("UPDATE quota_creditledgerentry SET event_id = %s WHERE kind = 'use'", GONE)
    about = f"event {GONE}, which {named(entry)} is of"
    assert f"{about}: an event expected, none found" in found()


def test_usage_that_is_owed_for_a_charge_that_is_not_there_is_found() -> None:
    scene = make_scene()
    OwedUsage.objects.create(
        event_id=GONE, owed_nanousd=7, left_nanousd=7, team=scene.team, membership=scene.owner
    )
    assert found() == [f"event {GONE}, for which usage is owed: an event expected, none found"]


def test_a_correction_of_a_charge_that_is_not_there_is_found() -> None:
    scene = make_scene()
    event = scene.desk.use(5)
    undo = correct_charge(event=event, usage=None, reason="x", at=T0 + HOUR, by=None).undo
    assert found() == []
    plant("UPDATE quota_usageevent SET corrects_id = %s WHERE id = %s", GONE, str(undo.pk))
    about = f"event {GONE}, which event {undo.pk} corrects"
    assert f"{about}: one of its Team and member expected, none found" in found()


def test_an_id_that_could_be_used_again_is_found() -> None:
    scene = make_scene()
    scene.desk.use(5)
    hold, event = Reservation.objects.get(), report(scene, "one")
    other = report(scene, "two")
    assert found() == []
    plant("DELETE FROM quota_eventid WHERE external_id = 'one'")
    plant("UPDATE quota_eventid SET event_id = %s WHERE external_id = 'two'", GONE)
    plant("DELETE FROM quota_requestid")
    ids = "what keeps the id of event"
    again = "from being used again"
    assert sorted(found()) == sorted(
        [
            f"{ids} {event.pk} {again}: {event.pk} expected, none found",
            f"{ids} {other.pk} {again}: {other.pk} expected, {GONE} found",
            f"what keeps the request id of reservation {hold.pk} {again}: {hold.pk} expected, none found",
        ]
    )
