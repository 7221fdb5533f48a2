"""What a job may take as read: how far, and from when on."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction

from quota.ids import earlier, new_id
from quota.models import CreditLedgerEntry, Entitlement, Reservation, UsageEvent
from quota.selectors.recent import horizon, is_over
from tests.helpers.drift import go_behind_triggers
from tests.helpers.factories import USD, give_credits, make_scene
from tests.helpers.races import race

MINUTE = timedelta(minutes=1)


@pytest.mark.django_db
def test_the_horizon_of_nothing_is_nothing() -> None:
    found = horizon()
    nothing = UUID(int=0)
    assert (found.usage, found.newest_usage, found.newest_hold) == (nothing, nothing, nothing)
    assert (found.entries, found.entitlements) == (0, 0)


@pytest.mark.django_db
def test_the_horizon_leaves_out_the_last_minute_of_charges() -> None:
    scene = make_scene()
    give_credits(scene.team, USD)
    scene.desk.use(1)
    event, hold = scene.desk.use(1), scene.desk.ask(1)
    found = horizon()
    assert (found.newest_usage, found.newest_hold) == (event.pk, hold.reservation_id)
    assert found.usage == earlier(event.pk, MINUTE)
    assert found.entries == CreditLedgerEntry.objects.get().pk
    assert found.entitlements == Entitlement.objects.get().pk
    assert (UsageEvent.objects.count(), Reservation.objects.count()) == (2, 3)


@pytest.mark.django_db
def test_a_server_whose_clock_is_ahead_does_not_move_the_horizon_beyond_the_databases() -> None:
    scene = make_scene()
    event = scene.desk.use(1)
    ahead = UUID(int=event.pk.int + (3_600_000 << 80))
    with connection.cursor() as cursor:
        go_behind_triggers()
        cursor.execute("UPDATE quota_usageevent SET id = %s", [ahead])
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert horizon().newest_usage == ahead
    assert horizon().usage < new_id()


@pytest.mark.django_db(transaction=True)
def test_it_is_over_when_every_transaction_of_then_has_ended() -> None:
    with transaction.atomic():
        make_scene()
        (noted,) = race(lambda: horizon().transaction)
        assert isinstance(noted, int)
        assert race(lambda: is_over(noted)) == [False]
    assert is_over(noted)


@pytest.mark.django_db(transaction=True)
def test_it_is_over_where_data_was_restored_from_another_server() -> None:
    assert is_over(2**62)
