"""A look at one of Stripe's objects, after which our rows agree with it. Order and number of looks do not
matter.

Each returns what changed, a line each. What is not ours (other customers of the same account) changes
nothing.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from billing import stripe_api
from billing.errors import StripeMissing
from billing.facts import CheckoutFacts, InvoiceFacts, PaymentFacts, SubscriptionFacts
from billing.models import (
    Checkout,
    CreditPurchase,
    Customer,
    Invoice,
    Payment,
    Price,
    Subscription,
)
from billing.money import PACK_KEY
from billing.services import checkouts, copies, purchases
from billing.services.fetches import take_ticket
from billing.services.subscriptions import OWES, apply_subscription
from billing.workflows.planning import keep_planned
from teams.models import Team

Lines = list[str]
# A payment that will not come by itself any more.
DEAD = {"requires_payment_method", "canceled"}


def team_of(customer_id: str, at: datetime) -> Team | None:
    """The Team that is this customer; None for somebody else's. A row of ours that did not hear of its
    customer, as after a crash, is completed.
    """
    row = Customer.objects.select_related("team").filter(stripe_id=customer_id).first()
    if row is not None:
        return row.team
    if not customer_id:
        return None
    ticket = take_ticket()
    facts = stripe_api.customer(customer_id)
    names_one = facts.team.isascii() and facts.team.isdigit()
    team = Team.objects.filter(pk=int(facts.team)).first() if names_one else None
    if team is None or Customer.objects.filter(team=team).exclude(stripe_id=None).exists():
        return None
    checkouts.apply_customer(team=team, facts=facts, ticket=ticket, at=at)
    return team


def _team(copy: Subscription | Invoice | Payment | None, customer_id: str, at: datetime) -> Team | None:
    """Of an object: our copy of it knows, also when the customer was deleted at Stripe."""
    return copy.team if copy is not None else team_of(customer_id, at)


def look_at_customer(id: str, at: datetime) -> Lines:
    ticket = take_ticket()
    team = team_of(id, at)
    if team is None:
        return []
    facts = stripe_api.customer(id)
    return checkouts.apply_customer(team=team, facts=facts, ticket=ticket, at=at)


def look_at_subscription(id: str, at: datetime) -> Lines:
    ticket = take_ticket()
    return use_subscription(stripe_api.subscription(id), ticket, at)


def use_subscription(facts: SubscriptionFacts, ticket: int, at: datetime) -> Lines:
    """Our rows follow a subscription that was fetched with this ticket; so does what is planned, unless
    somebody has looked since.
    """
    known = Subscription.objects.select_related("team").filter(stripe_id=facts.id).first()
    team = _team(known, facts.customer, at)
    if team is None:
        return []
    if known is None and facts.ended_at is None:
        _look_at_the_one_before(team, facts.id, at)
    overdue_since = _overdue_since(facts) if facts.status in OWES else None
    lines = apply_subscription(team=team, facts=facts, overdue_since=overdue_since, ticket=ticket, at=at)
    row = Subscription.objects.filter(stripe_id=facts.id, fetch=ticket).first()
    return lines + keep_planned(row, facts) if row else lines


def _look_at_the_one_before(team: Team, id: str, at: datetime) -> None:
    """It may have ended, and nobody told us yet."""
    before = Subscription.objects.for_team(team).live().exclude(stripe_id=id).first()
    if before is not None:
        look_at_subscription(before.stripe_id, at)


def _overdue_since(facts: SubscriptionFacts) -> datetime | None:
    """When the oldest invoice that was attempted and is still open was first to be paid."""
    open_ones = stripe_api.invoices(facts.customer, subscription=facts.id, status="open")
    attempted = [invoice.finalized_at for invoice in open_ones if invoice.attempted and invoice.finalized_at]
    return min(attempted, default=None)


def look_at_session(id: str, at: datetime) -> Lines:
    """By the id of Stripe's session; one that we do not know by it is known by our own reference."""
    checkout = Checkout.objects.select_related("team").filter(stripe_id=id).first()
    if checkout is None:
        reference = stripe_api.checkout(id).reference
        known = Checkout.objects.select_related("team").filter(pk=reference) if is_uuid(reference) else None
        checkout = known.first() if known is not None else None
    return look_at_checkout(checkout, at, id) if checkout else []


def look_at_checkout(checkout: Checkout, at: datetime, id: str = "") -> Lines:
    """What came of the visit, and the visit last: it stays open until that is ours, so that nothing is bought
    a second time meanwhile.
    """
    id = id or checkout.stripe_id or ""
    if not id:
        return []
    ticket = take_ticket()
    facts = stripe_api.checkout(id)
    lines: Lines = []
    if facts.status == "complete":
        if facts.subscription:
            lines += look_at_subscription(facts.subscription, at)
        if checkout.kind == Checkout.Kind.CREDITS and facts.paid:
            lines += _grant(checkout, facts, at)
        if facts.invoice:
            lines += look_at_invoice(facts.invoice, at)
        if facts.customer:
            lines += look_at_customer(facts.customer, at)  # it has a card now
    lines += checkouts.apply_checkout(checkout=checkout, facts=facts, ticket=ticket, at=at)
    if facts.status == "complete" and not facts.paid:
        lines += _look_for_failure(checkout, facts, at)
    return lines


def _grant(checkout: Checkout, facts: CheckoutFacts, at: datetime) -> Lines:
    purchase = CreditPurchase.objects.select_related("team").get(checkout=checkout)
    lines = purchases.grant_purchase(
        purchase=purchase, payment_id=facts.payment, invoice_id=facts.invoice, at=at
    )
    return lines + (look_at_payment(facts.payment, at) if facts.payment else [])


def _look_for_failure(checkout: Checkout, facts: CheckoutFacts, at: datetime) -> Lines:
    """A delayed payment that has failed ends the visit, and the subscription that was never paid for with
    it.
    """
    payment = facts.payment
    if facts.subscription:
        bill = next(stripe_api.invoices(facts.customer, subscription=facts.subscription), None)
        payment = bill.payment if bill else ""
    if not payment or stripe_api.payment(payment).status not in DEAD:
        return []
    checkouts.close_checkout(checkout=checkout, state=Checkout.State.FAILED, at=at)
    if not facts.subscription:
        return [f"checkout {facts.id}: the payment failed"]
    stripe_api.end_subscription(facts.subscription)
    lines = look_at_subscription(facts.subscription, at)
    return [f"checkout {facts.id}: the payment failed", *lines]


def look_at_invoice(id: str, at: datetime) -> Lines:
    ticket = take_ticket()
    return use_invoice(stripe_api.invoice(id), ticket, at)


def use_invoice(facts: InvoiceFacts, ticket: int, at: datetime, *, with_subscription: bool = True) -> Lines:
    """The copy, the purchase it bills, and the subscription it is of."""
    known = Invoice.objects.select_related("team").filter(stripe_id=facts.id).first()
    team = _team(known, facts.customer, at)
    if team is None:
        return []
    lines = copies.apply_invoice(team=team, facts=facts, ticket=ticket)
    if facts.subscription and with_subscription:
        lines += look_at_subscription(facts.subscription, at)
    return lines + _use_bill(team, facts, at) if facts.purchase else lines


def _use_bill(team: Team, facts: InvoiceFacts, at: datetime) -> Lines:
    """An invoice of Credits."""
    if facts.status != "paid":
        purchase = _known_purchase(team, facts.purchase)
        if purchase is not None and facts.status == "open":
            purchases.note_invoice(purchase=purchase, invoice_id=facts.id)
        return []
    purchase = _purchase(team, facts.purchase, facts.total_nanousd, at)
    if purchase is None:
        return []
    lines = purchases.grant_purchase(purchase=purchase, payment_id=facts.payment, invoice_id=facts.id, at=at)
    return lines + purchases.follow_payment(purchase=purchase, at=at)


def look_at_payment(id: str, at: datetime) -> Lines:
    ticket = take_ticket()
    return use_payment(stripe_api.payment(id), ticket, at)


def use_payment(facts: PaymentFacts, ticket: int, at: datetime) -> Lines:
    """The copy, and the Credits it pays for. A visit whose payment has failed ends."""
    known = Payment.objects.select_related("team").filter(stripe_id=facts.id).first()
    team = _team(known, facts.customer, at)
    if team is None:
        return []
    lines = purchases.apply_payment(team=team, facts=facts, ticket=ticket, at=at)
    if facts.purchase and facts.status == "succeeded":
        purchase = _purchase(team, facts.purchase, facts.amount_nanousd, at)
        if purchase is not None:
            lines += purchases.grant_purchase(purchase=purchase, payment_id=facts.id, invoice_id="", at=at)
            lines += purchases.follow_payment(purchase=purchase, at=at)
    return lines


def _purchase(team: Team, id: str, paid_nanousd: int, at: datetime) -> CreditPurchase | None:
    """The purchase that a payment names. One that we have lost is made again, if what was paid is a pack's
    price."""
    found = _known_purchase(team, id)
    if found is not None or not is_uuid(id):
        return found
    pack = Price.objects.get(lookup_key=PACK_KEY).amount_nanousd
    if paid_nanousd <= 0 or paid_nanousd % pack or CreditPurchase.objects.filter(pk=id).exists():
        return None
    return purchases.adopt_purchase(team=team, id=id, credits_nanousd=paid_nanousd, at=at)


def _known_purchase(team: Team, id: str) -> CreditPurchase | None:
    if not is_uuid(id):
        return None
    return CreditPurchase.objects.select_related("team").filter(team=team, pk=id).first()


def is_uuid(text: str) -> bool:
    """Metadata may be anybody's."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def look_at_promotion(id: str, at: datetime) -> Lines:
    ticket = take_ticket()
    try:
        facts = stripe_api.promotion(id)
    except StripeMissing:
        return []
    return copies.apply_promotion(facts=facts, ticket=ticket)
