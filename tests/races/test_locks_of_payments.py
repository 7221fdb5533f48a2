"""Each verb about payments that locks, while another is in the middle of what it must not overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from billing.errors import PaymentUnderWay, RefundTooHigh
from billing.models import (
    AutoTopUp,
    Checkout,
    CreditPurchase,
    Customer,
    Invoice,
    Payment,
    Promotion,
    Refund,
)
from billing.services import checkouts, customers, purchases, refunds, top_ups
from billing.services.teams import delete_settled_team
from quota.models import Account, CreditLedgerEntry
from teams.models import Team
from tests.helpers.bought import (
    begin_purchase,
    buy,
    make_customer,
    say_checkout,
    say_invoice,
    say_payment,
    say_promotion,
)
from tests.helpers.factories import T0, USD, make_team, make_user
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tests.helpers.stripe_says import next_sequence
from tokenplan.kit.errors import NotFound

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LATER = T0 + timedelta(hours=1)


def a_team_deleted_while_it_goes_to_pay() -> Case:
    team = make_team()
    return Case(
        lambda: begin_purchase(team),
        lambda: delete_settled_team(team=team, by=None, at=LATER),
        lambda: Team.objects.live().filter(pk=team.pk).exists(),
        PaymentUnderWay,
    )


def deletes(team: Team) -> Callable[[], object]:
    return lambda: delete_settled_team(team=team, by=None, at=T0)


def a_page_to_pay_for_a_team_that_is_deleted() -> Case:
    team = make_team()
    return Case(
        deletes(team),
        lambda: begin_purchase(team, at=LATER),
        lambda: not Checkout.objects.filter(team=team).exists(),
        NotFound,
    )


def a_customer_for_a_team_that_is_deleted() -> Case:
    team = make_team()
    return Case(
        deletes(team),
        lambda: customers.customer_row(team=team, at=LATER),
        lambda: not Customer.objects.filter(team=team).exists(),
        NotFound,
    )


def a_purchase_restored_for_a_team_that_is_deleted() -> Case:
    team, id = make_team(), str(uuid4())
    return Case(
        deletes(team),
        lambda: purchases.restore_purchase(
            team=team, id=id, account=Account.CREDITS, nanousd=5 * USD, at=LATER
        ),
        lambda: not CreditPurchase.objects.filter(team=team).exists(),
        NotFound,
    )


def the_same_page_asked_for_twice() -> Case:
    team = make_team()
    return Case(
        lambda: begin_purchase(team),
        lambda: begin_purchase(team),
        lambda: CreditPurchase.objects.filter(team=team).count() == 1,
    )


def a_page_given_up_while_it_is_paid() -> Case:
    purchase = begin_purchase(make_team())
    checkout = Checkout.objects.select_related("team").get(purchase=purchase)
    return Case(
        lambda: say_checkout(checkout, status="complete", paid=True),
        lambda: checkouts.close_checkout(checkout=stale(checkout), state="expired", at=LATER),
        lambda: Checkout.objects.get(pk=checkout.pk).state == Checkout.State.PAID,
    )


def stale(checkout: Checkout) -> Checkout:
    """As whoever acts on it read it before."""
    return Checkout.objects.select_related("team").get(pk=checkout.pk)


def a_page_of_two_answers() -> Case:
    purchase = begin_purchase(make_team())
    one = Checkout.objects.select_related("team").get(purchase=purchase)
    other, older, newer = stale(one), next_sequence(), next_sequence()
    return Case(
        lambda: say_checkout(one, status="complete", paid=True, sequence=newer),
        lambda: say_checkout(other, status="expired", sequence=older, at=LATER),
        lambda: Checkout.objects.get(pk=one.pk).state == Checkout.State.PAID,
    )


def mirrored_by_two_answers(say: Callable[..., object], shows: Callable[[], object]) -> Case:
    """Of two answers about one object the older one is written later: it is dropped."""
    say(1)
    older, newer = next_sequence(), next_sequence()
    return Case(lambda: say(3, sequence=newer), lambda: say(2, sequence=older), lambda: shows() == 3 * USD)


def a_customer_of_two_answers() -> Case:
    team = make_team()
    return mirrored_by_two_answers(
        lambda usd, **other: make_customer(team, balance_nanousd=usd * USD, **other),
        lambda: Customer.objects.get(team=team).balance_nanousd,
    )


def an_invoice_of_two_answers() -> Case:
    team, id = make_team(), f"in_{uuid4().hex}"
    return mirrored_by_two_answers(
        lambda usd, **other: say_invoice(team, id, paid_nanousd=usd * USD, **other),
        lambda: Invoice.objects.get(stripe_id=id).paid_nanousd,
    )


def a_payment_of_two_answers() -> Case:
    team, id = make_team(), f"pi_{uuid4().hex}"
    return mirrored_by_two_answers(
        lambda usd, **other: say_payment(team, id, refunded_nanousd=usd * USD, **other),
        lambda: Payment.objects.get(stripe_id=id).refunded_nanousd,
    )


def a_promotion_of_two_answers() -> Case:
    code = f"P{uuid4().hex[:8]}"
    return mirrored_by_two_answers(
        lambda usd, **other: say_promotion(code, times_redeemed=usd, **other),
        lambda: Promotion.objects.get(code=code).times_redeemed * USD,
    )


def refunds_of(payment: Payment, usd: int) -> Callable[[], object]:
    by = make_user()
    return lambda: refunds.open_refund(
        payment=payment, amount_nanousd=usd * USD, reason="asked", at=T0, by=by
    )


def a_refund_while_it_is_refunded_at_stripe() -> Case:
    payment = buy(make_team())
    return Case(
        lambda: say_payment(payment.team, payment.stripe_id, refunded_nanousd=5 * USD),
        refunds_of(payment, 1),
        lambda: not Refund.objects.filter(payment=payment).exists(),
        RefundTooHigh,
    )


def a_refund_closed_twice() -> Case:
    payment = buy(make_team())
    refunds_of(payment, 1)()
    refund = Refund.objects.get(payment=payment)

    def closes(**how: str) -> Callable[[], object]:
        mine = Refund.objects.select_related("payment__team").get(pk=refund.pk)
        return lambda: refunds.close_refund(refund=mine, at=LATER, **how)

    return Case(
        closes(stripe_id="re_1"),
        closes(error="too late"),
        lambda: Refund.objects.get(pk=refund.pk).state == Refund.State.DONE,
    )


def credits_taken_back_by_two_roads() -> Case:
    payment = buy(make_team(), packs=2)
    purchase = CreditPurchase.objects.select_related("team").get(payment_id=payment.stripe_id)
    taken = CreditLedgerEntry.objects.filter(team=payment.team, kind="refund")
    Payment.objects.filter(pk=payment.pk).update(refunded_nanousd=4 * USD)

    def takes() -> object:
        return refunds.take_back_credits(purchase=purchase, at=LATER)

    return Case(takes, takes, lambda: [row.amount_nanousd for row in taken] == [-4 * USD])


def orders(team: Team, *, enabled: bool = True) -> Callable[[], object]:
    return lambda: top_ups.set_auto_top_up(
        team=team,
        enabled=enabled,
        threshold_nanousd=5 * USD,
        target_nanousd=20 * USD,
        month_cap_nanousd=60 * USD,
        at=T0,
        by=None,
    )


def a_top_up_that_fails_while_it_is_paid() -> Case:
    team = make_team()
    orders(team)()
    purchase = top_ups.begin_top_up(team=team, at=T0)
    assert purchase is not None
    mine = CreditPurchase.objects.select_related("team").get(pk=purchase.pk)
    return Case(
        lambda: purchases.grant_purchase(purchase=purchase, payment_id="", invoice_id="", at=T0),
        lambda: top_ups.fail_top_up(purchase=mine, reason="late", at=LATER),
        lambda: (
            CreditPurchase.objects.get(pk=purchase.pk).state == CreditPurchase.State.PAID
            and AutoTopUp.objects.get(team=team).failures == 0
        ),
    )


def a_purchase_granted_twice() -> Case:
    purchase = begin_purchase(make_team())

    def grants(id: str) -> Callable[[], object]:
        mine = CreditPurchase.objects.select_related("team").get(pk=purchase.pk)
        return lambda: purchases.grant_purchase(purchase=mine, payment_id=id, invoice_id="", at=T0)

    def paid_by() -> str:
        return CreditPurchase.objects.get(pk=purchase.pk).payment_id

    one, two = f"pi_{uuid4().hex}", f"pi_{uuid4().hex}"
    return Case(grants(one), grants(two), lambda: paid_by() == one)


def a_top_up_begun_while_it_is_switched_off() -> Case:
    team = make_team()
    orders(team)()
    return Case(
        orders(team, enabled=False),
        lambda: top_ups.begin_top_up(team=team, at=LATER),
        lambda: not CreditPurchase.objects.filter(team=team).exists(),
    )


def an_order_for_a_team_that_is_deleted() -> Case:
    team = make_team()
    return Case(
        deletes(team), orders(team), lambda: not AutoTopUp.objects.filter(team=team).exists(), NotFound
    )


CASES: list[Callable[[], Case]] = [
    a_team_deleted_while_it_goes_to_pay,
    a_page_to_pay_for_a_team_that_is_deleted,
    a_customer_for_a_team_that_is_deleted,
    a_purchase_restored_for_a_team_that_is_deleted,
    the_same_page_asked_for_twice,
    a_page_given_up_while_it_is_paid,
    a_page_of_two_answers,
    a_customer_of_two_answers,
    an_invoice_of_two_answers,
    a_payment_of_two_answers,
    a_promotion_of_two_answers,
    a_refund_while_it_is_refunded_at_stripe,
    a_refund_closed_twice,
    credits_taken_back_by_two_roads,
    a_top_up_that_fails_while_it_is_paid,
    a_purchase_granted_twice,
    a_top_up_begun_while_it_is_switched_off,
    an_order_for_a_team_that_is_deleted,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)
