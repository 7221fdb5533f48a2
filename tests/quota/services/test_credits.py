"""Lots granted, taken back and adjusted, and who may use them: what is refused, and what is written once."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from quota.errors import CreditsNotEnough
from quota.models import CreditAccess, CreditGrant, CreditLedgerEntry
from quota.services.credits import adjust_lot, expire_lots, grant_credits, set_credit_access, set_team_credits
from teams.models import AuditEntry, Team
from tests.helpers.factories import (
    T0,
    USD,
    Scene,
    give_credits,
    make_desk,
    make_member,
    make_scene,
    make_team,
    owner_of,
)
from tests.helpers.races import race
from tokenplan.kit.errors import InvalidValue

LIFETIME = timedelta(seconds=settings.RESERVATION_LIFETIME_SECONDS)

pytestmark = pytest.mark.django_db

Kind = CreditLedgerEntry.Kind

PENNY = 10_000_000


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


@pytest.mark.django_db(transaction=True)
def test_lots_expire_once_however_many_runs_there_are() -> None:
    team = make_team()
    for days in (1, 2, 3):
        give_credits(team, 5 * USD, expires_at=T0 + timedelta(days=days))
    at = T0 + timedelta(days=2) + LIFETIME
    assert sorted(map(str, race(*[lambda: expire_lots(at=at)] * 4))) == ["0", "0", "0", "2"]
    assert left(team) == [0, 0, 5 * USD]
    expiries = CreditLedgerEntry.objects.filter(kind="expiry").order_by("at")
    assert list(expiries.values_list("amount_nanousd", "at")) == [
        (-5 * USD, T0 + timedelta(days=1)),
        (-5 * USD, T0 + timedelta(days=2)),
    ]


def left(team: Team) -> list[int]:
    return list(
        CreditGrant.objects.filter(team=team).order_by("pk").values_list("remaining_nanousd", flat=True)
    )
