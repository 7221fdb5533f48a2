"""Purchases and vouchers beside the lots that quota has of them: each way in which they differ is found."""

from __future__ import annotations

import pytest

from billing.models import CreditPurchase, InviteVoucher
from billing.selectors.purchase_lots import differences_of_lots
from quota.models import CreditGrant
from tests.helpers.bought import buy
from tests.helpers.drift import named, plant
from tests.helpers.factories import USD, give_credits, make_team
from tests.helpers.invites import give_invite_voucher

pytestmark = pytest.mark.django_db


def found() -> list[str]:
    return list(differences_of_lots())


def test_what_was_bought_or_given_has_its_lot() -> None:
    buy(make_team())
    give_invite_voucher()
    give_credits(make_team(), USD)
    assert found() == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("amount_nanousd", "4000000000"), ("source", "gift")],
)
def test_a_purchase_with_another_lot_than_was_bought_is_found(column: str, value: str) -> None:
    buy(make_team())
    purchase, lot = CreditPurchase.objects.get(), CreditGrant.objects.get()
    plant("UPDATE quota_creditgrant SET remaining_nanousd = 0")
    plant(f"UPDATE quota_creditgrant SET {column} = %s", value)
    lot.refresh_from_db()
    bought = f"credits of 5000000000 nano-dollars for Team {purchase.team.slug}, 'purchase:{purchase.pk}'"
    granted = f"credits of {lot.amount_nanousd} nano-dollars for Team {lot.team.slug}, '{lot.source}'"
    assert found() == [f"lot of purchase {purchase.pk}: {bought} expected, {granted} found"]


def test_a_lot_of_a_purchase_that_is_not_paid_is_found() -> None:
    buy(make_team())
    plant("UPDATE billing_creditpurchase SET state = 'failed', lot_id = NULL")
    lot = CreditGrant.objects.get()
    assert found() == [f"source of {named(lot)}: something that was paid expected, '{lot.source}' found"]


def test_a_voucher_of_another_amount_than_its_lot_and_a_lot_without_its_voucher_are_found() -> None:
    link = give_invite_voucher()
    plant("UPDATE billing_invitevoucher SET amount_nanousd = 1")
    team = link.user.default_team
    given = f"for Team {team.slug}, 'invite in_friend'"
    assert found() == [
        f"lot of the voucher for invoice in_friend: balance of 1 nano-dollars {given} expected, "
        f"balance of 2000000000 nano-dollars {given} found"
    ]
    InviteVoucher.objects.all().delete()
    lot = CreditGrant.objects.get(team=team)
    assert found() == [f"source of {named(lot)}: something that was paid expected, 'invite in_friend' found"]
