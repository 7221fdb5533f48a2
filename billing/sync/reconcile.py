"""Compares all our objects at Stripe with our rows and makes the rows agree, whether an event was missed or
Stripe sends none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.db import IntegrityError

from billing import stripe_api
from billing.errors import PaymentsUnavailable
from billing.fetch import fetch, fetch_all
from billing.models import Checkout, CreditPurchase, Customer, Payment, Subscription
from billing.services.customers import apply_customer
from billing.services.promotions import apply_promotion
from billing.stripe_api.snapshots import CustomerSnapshot
from billing.sync.checkouts import sync_checkout
from billing.sync.customers import sync_customer, team_of_customer
from billing.sync.invoices import apply_fetched_invoice
from billing.sync.payments import apply_fetched_payment
from billing.sync.subscriptions import apply_fetched_subscription, sync_subscription
from teams.models import Membership, Team
from tokenplan.kit.errors import Refusal
from tokenplan.kit.transactions import broken_constraint


@dataclass(slots=True)
class Report:
    """`repaired`: differences that this run has removed. `unrepaired`: those that a person must look at.
    `compared`: how many objects were compared.
    """

    repaired: list[str] = field(default_factory=list)
    unrepaired: list[str] = field(default_factory=list)
    compared: int = 0

    def repair(self, subject: str, sync: Callable[[], list[str]]) -> None:
        """What cannot be repaired is reported; the others are compared all the same. Raises
        PaymentsUnavailable.
        """
        self.compared += 1
        try:
            self.repaired += sync()
        except PaymentsUnavailable:
            raise
        except IntegrityError as error:
            rule = broken_constraint(error).replace("_", " ")
            self.unrepaired.append(f"{subject}: it breaks the rule “{rule}”")
        except Refusal as refusal:
            self.unrepaired.append(f"{subject}: {refusal}")


def reconcile(*, at: datetime) -> Report:
    """Customers, their subscriptions, invoices and payments, and promotion codes. Raises
    PaymentsUnavailable when Stripe does not answer at all; run it again then.
    """
    report = Report()
    customers = fetch(lambda: list(stripe_api.customers()))
    found: set[str] = set()
    for customer in customers.value:
        team = _repair_customer(customer, report, at)
        if team is not None:
            found.add(customer.id)
            _repair_objects_of(customer.id, team, report, at)
    for promotion in fetch_all(stripe_api.promotions):
        report.repair(promotion.value.code, partial(apply_promotion, fetched=promotion))
    _repair_what_was_not_listed(found, customers.sequence, report, at)
    report.unrepaired += _granted_without_payment()
    return report


def _repair_customer(customer: CustomerSnapshot, report: Report, at: datetime) -> Team | None:
    """The Team of the customer; None if the customer is not ours."""
    known = Customer.objects.filter(stripe_id=customer.id).exists()
    if not customer.team_id and not known:
        return None
    team = team_of_customer(customer.id, at)
    if team is None:
        if _has_paid(customer.id):
            whose = f"says that it is Team {customer.team_id}, which is another customer, or none"
            report.unrepaired.append(f"customer {customer.id} {whose}")
        return None
    if not known:
        report.repaired.append(f"customer {customer.id}: is {team}")
    fetched = fetch(lambda: stripe_api.customer(customer.id))
    report.repaired += apply_customer(team=team, fetched=fetched, at=at)
    owner = Membership.objects.owner_of(team)
    if owner is not None and (fetched.value.name, fetched.value.email) != (team.name, owner.user.email):
        stripe_api.update_customer(customer.id, name=team.name, email=owner.user.email)
        report.repaired.append(f"customer {customer.id}: is {team.name}, mail goes to {owner.user.email}")
    return team


def _has_paid(customer_id: str) -> bool:
    """A customer without any payment was made by a request whose answer was lost, and is nobody's."""
    anything = (stripe_api.subscriptions(customer_id), stripe_api.payments(customer_id))
    return any(next(iter(found), None) is not None for found in anything)


def _repair_objects_of(customer_id: str, team: Team, report: Report, at: datetime) -> None:
    """Ended subscriptions before live ones, so that a Team never seems to have two."""
    subscriptions = fetch_all(lambda: stripe_api.subscriptions(customer_id))
    for subscription in sorted(subscriptions, key=lambda fetched: fetched.value.ended_at is None):
        report.repair(subscription.value.id, partial(apply_fetched_subscription, subscription, at))
    for invoice in fetch_all(lambda: stripe_api.invoices(customer_id)):
        report.repair(invoice.value.id, partial(apply_fetched_invoice, invoice, at, with_subscription=False))
    for payment in fetch_all(lambda: stripe_api.payments(customer_id)):
        report.repair(payment.value.id, partial(apply_fetched_payment, payment, at))
    unfinished = Checkout.objects.for_team(team).unfinished()
    for checkout in unfinished.exclude(stripe_id=None).select_related("team"):
        report.repair(f"checkout {checkout.pk}", partial(sync_checkout, checkout, at))


def _repair_what_was_not_listed(found: set[str], began: int, report: Report, at: datetime) -> None:
    """Our rows that Stripe did not list: they were deleted there, or belong to another account. `began`: the
    fetch sequence when the run began.
    """
    for row in Customer.objects.exclude(stripe_id=None).exclude(stripe_id__in=found):
        report.repair(f"customer {row.stripe_id}", partial(sync_customer, str(row.stripe_id), at))
    for subscription in Subscription.objects.live().filter(fetch_sequence__lt=began):
        report.repair(f"subscription {subscription}", partial(sync_subscription, subscription.stripe_id, at))


def _granted_without_payment() -> Iterator[str]:
    """Lots that were granted for a payment which Stripe does not know."""
    paid = CreditPurchase.objects.filter(state=CreditPurchase.State.PAID).exclude(payment_id="")
    known = Payment.objects.filter(status="succeeded").values("stripe_id")
    for purchase in paid.exclude(payment_id__in=known).select_related("team"):
        yield f"{purchase.team} got Credits for the payment {purchase.payment_id}, which Stripe does not know"
