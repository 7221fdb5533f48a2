"""What the database refuses, whoever asks: changed history, overdrawn lots, rows with roads to two Teams."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from quota.models import CreditGrant, CreditLedgerEntry, UsageEvent
from tests.helpers.factories import USD, Scene, give_credits, make_desk, make_member, make_scene

pytestmark = pytest.mark.django_db


def refused(change: Callable[[], Any], match: str) -> None:
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        change()
        connection.check_constraints()


def test_events_and_ledger_are_append_only(scene: Scene) -> None:
    give_credits(scene.team, USD)
    make_desk(make_member(scene.team, credits=True)).use(1)
    refused(lambda: UsageEvent.objects.update(model="other"), "usage events are append-only")
    refused(lambda: UsageEvent.objects.all()._raw_delete("default"), "usage events are append-only")
    refused(lambda: CreditLedgerEntry.objects.update(cause="other"), "the Credit ledger is append-only")
    refused(
        lambda: CreditLedgerEntry.objects.all()._raw_delete("default"), "the Credit ledger is append-only"
    )
    assert UsageEvent.objects.get().model == "penny"


def test_a_lot_cannot_be_overdrawn_whatever_the_code_does(scene: Scene) -> None:
    give_credits(scene.team, USD)
    refused(lambda: CreditGrant.objects.update(remaining_nanousd=-1), "a_lot_is_never_overdrawn")
    refused(lambda: CreditGrant.objects.update(remaining_nanousd=USD + 1), "a_lot_is_never_overdrawn")


def test_a_row_cannot_name_two_teams(scene: Scene) -> None:
    other = make_member(make_scene().team)
    refused(
        lambda: scene.owner.keys.update(team_id=other.team_id),
        "a_key_is_of_its_members_team",
    )
