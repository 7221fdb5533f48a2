"""Credits that were paid for are granted once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import CreditPurchase, Payment
from billing.services import checkouts, purchases
from billing.services.teams import delete_settled_team
from quota.models import CreditGrant, CreditLedgerEntry
from quota.selectors.credits import team_balance
from teams.models import Team
from tests.helpers.bought import begin_purchase, buy, pay
from tests.helpers.factories import T0, USD, make_team
from tests.helpers.races import race
from tokenplan.kit.errors import NotFound

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def lot_of(payment: Payment) -> CreditGrant:
    return CreditGrant.objects.get(purchase__payment_id=payment.stripe_id)


def ledger(team: Team) -> list[tuple[str, int, str]]:
    entries = CreditLedgerEntry.objects.filter(team=team).order_by("pk")
    return [(entry.kind, entry.amount_nanousd, entry.cause) for entry in entries]


def test_a_payment_becomes_a_lot_that_lasts_365_days() -> None:
    team = make_team()
    payment = buy(team)
    lot = lot_of(payment)
    assert (lot.amount_nanousd, lot.expires_at) == (5 * USD, T0 + 365 * DAY)
    assert CreditPurchase.objects.get().state == "paid"


def test_synced_by_the_page_by_the_invoice_and_by_the_payment_it_is_granted_once() -> None:
    team = make_team()
    purchase = begin_purchase(team)
    about = {"payment_id": "pi_x", "invoice_id": "in_x", "at": T0}
    assert purchases.grant_purchase(purchase=purchase, **about) != []  # type: ignore[arg-type]
    for _ in range(3):
        assert purchases.grant_purchase(purchase=purchase, **about) == []  # type: ignore[arg-type]
    assert team_balance(team.pk, T0) == 5 * USD
    assert len(ledger(team)) == 1


def test_what_was_given_up_and_paid_after_all_is_granted() -> None:
    purchase = begin_purchase(make_team())
    CreditPurchase.objects.update(state="failed", reason="The payment page was left.", closed_at=T0)
    pay(purchase, at=T0 + DAY)
    purchase.refresh_from_db()
    assert (purchase.state, purchase.reason) == ("paid", "")
    assert team_balance(purchase.team_id, T0 + DAY) == 5 * USD


def test_a_promotion_that_leaves_nothing_to_pay_grants_without_a_payment() -> None:
    purchase = begin_purchase(make_team())
    purchases.grant_purchase(purchase=purchase, payment_id="", invoice_id="in_1", at=T0)
    purchase.refresh_from_db()
    assert (purchase.state, purchase.payment_id, purchase.invoice_id) == ("paid", "", "in_1")
    # Should its payment become known later, what is refunded is known to be of this purchase.
    purchases.grant_purchase(purchase=purchase, payment_id="pi_1", invoice_id="", at=T0)
    purchase.refresh_from_db()
    assert (purchase.payment_id, purchase.invoice_id) == ("pi_1", "in_1")


def test_the_money_of_a_deleted_team_is_for_nobody_and_said_to_be() -> None:
    purchase = begin_purchase(make_team())
    assert purchase.checkout is not None
    checkouts.close_checkout(checkout=purchase.checkout, state="expired", at=T0)
    delete_settled_team(team=purchase.team, by=None, at=T0)
    with pytest.raises(NotFound):
        purchases.grant_purchase(purchase=purchase, payment_id="pi_1", invoice_id="", at=T0)
    assert not CreditGrant.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_payment_that_is_synced_many_times_at_once_is_granted_once() -> None:
    purchase = begin_purchase(make_team())

    def sync() -> list[str]:
        mine = CreditPurchase.objects.select_related("team").get(pk=purchase.pk)
        return purchases.grant_purchase(purchase=mine, payment_id="pi_1", invoice_id="", at=T0)

    assert sorted(str(bool(answer)) for answer in race(*[sync] * 8)) == ["False"] * 7 + ["True"]
    assert team_balance(purchase.team_id, T0) == 5 * USD
