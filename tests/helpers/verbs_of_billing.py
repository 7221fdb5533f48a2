"""What people, operators and Stripe do to what is sold, and which rows each of them writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

from billing.models import Customer, InviteCampaign, Price, StripeEvent
from billing.services import (
    campaigns,
    cancellations,
    checkouts,
    customers,
    inbox,
    invite_vouchers,
    invites,
    prices,
    purchases,
    refunds,
    top_ups,
)
from quota.models import Account
from tests.helpers.bought import make_customer, say_checkout, say_invoice, say_payment, say_promotion
from tests.helpers.factories import T0, USD
from tests.helpers.life import NOW
from tests.helpers.world import Home

DAY = timedelta(days=1)

Verb = tuple[Callable[[Home], object], str]


def refund_of_a_friend(w: Home) -> object:
    say_payment(w.friends, w.rewarded.payment_id, refunded_nanousd=5 * USD, at=NOW)
    return invite_vouchers.keep_voucher(invoice=w.rewarded, at=NOW)


def tried(home: Home) -> StripeEvent:
    """Stripe has said before that it does not know what it is about."""
    StripeEvent.objects.filter(pk=home.event.pk).update(missing_answers=1)
    return home.event


BILLING: dict[str, Verb] = {
    "cancel": (
        lambda w: cancellations.ask_to_cancel(team=w.team, at=NOW, by=None),
        "AuditEntry +1, Subscription ~1",
    ),
    "hear of a seat less": (
        lambda w: w.bill.say({"max": 2, "plus": 1}, at=NOW),
        "AuditEntry +1, Entitlement ~1, PurchasedSeat ~1, Seat ~1, Subscription ~1, SubscriptionItem +2, "
        "SubscriptionItem -2",
    ),
    "hear of an end": (
        lambda w: w.bill.say({"max": 2, "plus": 2}, status="canceled", ended_at=NOW, at=NOW),
        "AuditEntry +7, Entitlement ~4, Mail +1, Mail -2, PurchasedSeat ~4, Seat ~4, SeatHolding ~2, "
        "Subscription ~1",
    ),
    "hear of a payment that failed": (
        lambda w: w.bill.say({"max": 2, "plus": 2}, status="past_due", overdue_since=T0, at=NOW),
        "AuditEntry +5, Entitlement ~4, Mail +1, Subscription ~1",
    ),
    "give up a page": (
        lambda w: checkouts.close_checkout(checkout=w.page, state="expired", at=NOW),
        "AuditEntry +1, Checkout ~1, CreditPurchase ~1",
    ),
    "hear of a paid page": (
        lambda w: say_checkout(w.page, status="complete", paid=True, at=NOW),
        "AuditEntry +1, Checkout ~1",
    ),
    "hear of a customer": (lambda w: make_customer(w.team, card="new"), "Customer ~1"),
    "set a contact": (
        lambda w: customers.set_contact_email(customer=Customer.objects.get(team=w.team), email="x@y.z"),
        "Customer ~1",
    ),
    "reconcile": (
        lambda w: customers.mark_reconciled(
            customer_id=str(Customer.objects.get(team=w.team).stripe_id), at=NOW
        ),
        "Customer ~1",
    ),
    "claim an event": (lambda w: inbox.claim(at=NOW), "StripeEvent ~1"),
    "finish an event": (lambda w: inbox.finish(event=w.event, changed=["x"], at=NOW), "StripeEvent ~1"),
    "fail an event": (lambda w: inbox.fail(event=w.event, error="x", at=NOW), "StripeEvent ~1"),
    "bury an event": (lambda w: inbox.fail_missing(event=tried(w), error="x", at=NOW), "StripeEvent ~1"),
    "replay an event": (
        lambda w: inbox.replay(event=w.event, at=NOW, by=w.owner_user),
        "AuditEntry +1, StripeEvent ~1",
    ),
    "hear of an invoice": (lambda w: say_invoice(w.team, f"in_{w.name}_1", status="void"), "Invoice ~1"),
    "hear of a refund": (
        lambda w: say_payment(w.team, w.bought.stripe_id, packs=2, refunded_nanousd=USD, at=NOW),
        "AuditEntry +2, CreditGrant ~1, CreditLedgerEntry +1, CreditPurchase ~1, Mail +1, Payment ~1",
    ),
    "hear of a dispute": (
        lambda w: say_payment(w.team, w.bought.stripe_id, packs=2, dispute="lost", at=NOW),
        "AuditEntry +2, CreditGrant ~1, CreditLedgerEntry +1, CreditPurchase ~1, Mail +1, Payment ~1",
    ),
    "publish a price": (
        lambda w: prices.set_stripe_price_id(
            price=Price.objects.filter(interval="year").order_by("pk")[0], stripe_id="price_x"
        ),
        "Price ~1",
    ),
    "come by a link": (
        lambda w: invites.come_by_link(code=w.link.code, at=NOW, by=w.new),
        "AuditEntry +1, Invitee +1",
    ),
    "block a link": (
        lambda w: invites.block_link(link=w.link, reason="x", at=NOW, by=w.owner_user),
        "AuditEntry +1, InviteLink ~1",
    ),
    "go to pay for a friend's other Team": (
        lambda w: invites.mark_invited(team=w.friend.default_team, at=NOW),
        "InvitedTeam +1",
    ),
    "hear that a friend paid": (
        lambda w: invite_vouchers.keep_voucher(invoice=w.paid, at=NOW),
        "AuditEntry +1, CreditGrant +1, CreditLedgerEntry +1, InviteVoucher +1, Mail +1",
    ),
    "hear that a friend was paid back": (
        refund_of_a_friend,
        "AuditEntry +2, CreditGrant ~1, CreditLedgerEntry +1, InviteVoucher ~1, Mail +1, Payment ~1",
    ),
    "ask for one's link again": (lambda w: invites.make_link(at=NOW, by=w.owner_user), ""),
    "end a campaign": (
        lambda w: campaigns.end_campaign(campaign=InviteCampaign.objects.get(), at=NOW, by=w.owner_user),
        "AuditEntry +1, InviteCampaign ~1",
    ),
    "say other words of a campaign": (
        lambda w: campaigns.set_words(
            campaign=InviteCampaign.objects.get(), words={"en": {"title": "x"}}, at=NOW, by=w.owner_user
        ),
        "AuditEntry +1, InviteCampaign ~1",
    ),
    "hear of a promotion": (lambda w: say_promotion(f"CODE-{w.name}", active=False), "Promotion ~1"),
    "restore a purchase": (
        lambda w: purchases.restore_purchase(
            team=w.team, id=str(uuid4()), account=Account.CREDITS, nanousd=5 * USD, at=NOW
        ),
        "CreditPurchase +1",
    ),
    "bill a purchase": (
        lambda w: purchases.set_invoice_id(purchase=w.page.purchase, invoice_id="in_x"),
        "CreditPurchase ~1",
    ),
    "pay a purchase": (
        lambda w: purchases.grant_purchase(
            purchase=w.page.purchase,
            payment_id="pi_x",
            invoice_id="",
            at=NOW,
        ),
        "AuditEntry +1, CreditGrant +1, CreditLedgerEntry +3, CreditPurchase ~1, OwedUsage ~2",
    ),
    "refund": (
        lambda w: refunds.open_refund(
            payment=w.bought, amount_nanousd=USD, reason="x", at=NOW, by=w.owner_user
        ),
        "AuditEntry +1, Refund +1",
    ),
    "top up": (lambda w: top_ups.begin_top_up(team=w.team, at=NOW), "AuditEntry +1, CreditPurchase +1"),
}
