"""What the database refuses, whoever asks: changed history, overdrawn lots, rows with roads to two Teams."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from quota.errors import CreditsNotEnough
from quota.models import CreditAccess, CreditGrant, CreditLedgerEntry, Reservation, UsageEvent
from quota.services.credits import adjust_lot, grant_credits, set_credit_access, set_team_credits
from teams.models import AuditEntry
from tests.helpers.factories import T0, USD, Scene, give_credits, make_desk, make_member, make_scene, owner_of
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db

Kind = CreditLedgerEntry.Kind
PENNY = 10_000_000


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
    scene.desk.ask()
    other = make_member(make_scene().team)
    refused(
        lambda: Reservation.objects.update(membership_id=other.pk),
        "a_reservation_is_of_its_(members_team|keys_member)",
    )
    refused(
        lambda: scene.owner.keys.update(team_id=other.team_id),
        "a_key_is_of_its_members_team",
    )


def test_a_source_grants_once(scene: Scene) -> None:
    first = grant_credits(team=scene.team, nanousd=USD, source="pi_1", at=T0, by=None)
    assert grant_credits(team=scene.team, nanousd=USD, source="pi_1", at=T0, by=None) == first
    assert CreditLedgerEntry.objects.for_team(scene.team).balance() == USD
    other = make_scene().team
    for team, nanousd in ((scene.team, 2 * USD), (other, USD)):
        with pytest.raises(InvalidValue, match="granted something else"):
            grant_credits(team=team, nanousd=nanousd, source="pi_1", at=T0, by=None)


@pytest.mark.parametrize(("nanousd", "days"), [(0, 1), (-1, 1), (10**15 + 1, 1), (1, 0), (1, -1)])
def test_a_lot_that_makes_no_sense_is_refused(scene: Scene, nanousd: int, days: int) -> None:
    with pytest.raises(InvalidValue):
        grant_credits(
            team=scene.team,
            nanousd=nanousd,
            source="x",
            at=T0,
            by=None,
            expires_at=T0 + timedelta(days=days),
        )
    assert not CreditGrant.objects.exists()


def test_a_lot_lives_365_days(scene: Scene) -> None:
    lot = grant_credits(team=scene.team, nanousd=USD, source="x", at=T0, by=None)
    assert lot.expires_at == T0 + timedelta(days=365)


def test_only_what_is_unused_can_be_clawed_back(scene: Scene) -> None:
    lot = grant_credits(team=scene.team, nanousd=USD, source="x", at=T0, by=None)
    make_desk(make_member(scene.team, credits=True)).use(40)
    with pytest.raises(CreditsNotEnough):
        adjust_lot(lot=lot, nanousd=-61 * PENNY, kind=Kind.REFUND, cause="r", at=T0, by=None)
    assert (
        adjust_lot(
            lot=lot, nanousd=-60 * PENNY, kind=Kind.REFUND, cause="r", at=T0, by=None
        ).remaining_nanousd
        == 0
    )
    assert adjust_lot(lot=lot, nanousd=PENNY, kind=Kind.ADJUSTMENT, cause="a", at=T0, by=None)
    assert CreditLedgerEntry.objects.for_team(scene.team).balance() == PENNY


@pytest.mark.parametrize(("kind", "nanousd"), [(Kind.REFUND, 1), (Kind.USE, -1), (Kind.ADJUSTMENT, 0)])
def test_a_lot_is_changed_by_a_refund_or_an_adjustment_alone(scene: Scene, kind: Any, nanousd: int) -> None:
    lot = grant_credits(team=scene.team, nanousd=USD, source="x", at=T0, by=None)
    with pytest.raises(InvalidValue):
        adjust_lot(lot=lot, nanousd=nanousd, kind=kind, cause="r", at=T0, by=None)
    assert CreditLedgerEntry.objects.count() == 1


@pytest.mark.parametrize("change", [{"overflow": "perhaps"}, {"month_cap_nanousd": -1}])
def test_access_that_makes_no_sense_is_refused(scene: Scene, change: dict[str, Any]) -> None:
    access: dict[str, Any] = {"allowed": False, "overflow": "allow", "month_cap_nanousd": None} | change
    with pytest.raises(InvalidValue):
        set_credit_access(membership=scene.owner, at=T0, by=None, **access)
    assert CreditAccess.objects.of_one(owner_of(scene.team)).allowed


@pytest.mark.parametrize("change", [{"overflow": "perhaps"}, {"low_balance_nanousd": -1}])
def test_a_policy_that_makes_no_sense_is_refused(scene: Scene, change: dict[str, Any]) -> None:
    policy: dict[str, Any] = {"overflow": "never", "low_balance_nanousd": 1} | change
    with pytest.raises(InvalidValue):
        set_team_credits(team=scene.team, at=T0, by=None, **policy)
    assert not hasattr(scene.team, "credits")


def test_what_does_not_change_is_not_in_the_audit_log(scene: Scene) -> None:
    before = AuditEntry.objects.count()
    for _ in range(2):
        set_team_credits(team=scene.team, overflow="never", low_balance_nanousd=1, at=T0, by=None)
        set_credit_access(
            membership=scene.owner, allowed=False, overflow="allow", month_cap_nanousd=None, at=T0, by=None
        )
    assert AuditEntry.objects.count() == before + 2
