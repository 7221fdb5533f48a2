"""Looks at everything that Stripe has of ours, and makes our rows agree: what webhooks should have told,
and what nobody would ever tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.db import IntegrityError

from billing import stripe_api
from billing.errors import PaymentsUnavailable
from billing.facts import CustomerFacts
from billing.models import Checkout, CreditPurchase, Customer, Payment, Subscription
from billing.services import checkouts, copies
from billing.services.fetches import take_ticket
from billing.workflows import looks
from teams.models import Membership, Team
from tokenplan.kit.errors import Refusal
from tokenplan.kit.transactions import broken_constraint


@dataclass(slots=True)
class Report:
    """`repaired`: differences that are none any more. `unrepaired`: those that somebody must look at."""

    repaired: list[str] = field(default_factory=list)
    unrepaired: list[str] = field(default_factory=list)
    looked_at: int = 0


def reconcile(*, at: datetime) -> Report:
    """Customers, their subscriptions, invoices and payments, and promotion codes. Raises
    PaymentsUnavailable when Stripe does not answer at all; run it again then.
    """
    report = Report()
    began = take_ticket()
    seen: set[str] = set()
    for customer in list(stripe_api.customers()):
        team = _repaired_team(customer, report, at)
        if team is not None:
            seen.add(customer.id)
            _look_at_all_of(customer.id, team, report, at)
    _look_at_promotions(report, at)
    _look_for_the_missing(seen, began, report, at)
    report.unrepaired += _without_money()
    return report


def _repaired_team(customer: CustomerFacts, report: Report, at: datetime) -> Team | None:
    known = Customer.objects.filter(stripe_id=customer.id).exists()
    if not customer.team and not known:
        return None  # somebody else's
    ticket = take_ticket()
    team = looks.team_of(customer.id, at)
    if team is None:
        if _has_paid(customer.id):
            whose = f"says that it is Team {customer.team}, which is another customer, or none"
            report.unrepaired.append(f"customer {customer.id} {whose}")
        return None
    if not known:
        report.repaired.append(f"customer {customer.id}: is {team}")
    facts = stripe_api.customer(customer.id)
    report.repaired += checkouts.apply_customer(team=team, facts=facts, ticket=ticket, at=at)
    owner = Membership.objects.owner_of(team)
    if owner is not None and (facts.name, facts.email) != (team.name, owner.user.email):
        stripe_api.update_customer(customer.id, name=team.name, email=owner.user.email)
        report.repaired.append(f"customer {customer.id}: is {team.name}, mail goes to {owner.user.email}")
    return team


def _has_paid(customer: str) -> bool:
    """One that has not was made by a request whose answer was lost a day ago, and is nobody's."""
    anything = (stripe_api.subscriptions(customer), stripe_api.payments(customer))
    return any(next(iter(found), None) is not None for found in anything)


def _look_at_all_of(customer: str, team: Team, report: Report, at: datetime) -> None:
    """Ended subscriptions before live ones, so that a Team never seems to have two."""
    ticket = take_ticket()
    subscriptions = sorted(stripe_api.subscriptions(customer), key=lambda facts: facts.ended_at is None)
    for subscription in subscriptions:
        _tried(report, subscription.id, partial(looks.use_subscription, subscription, ticket, at))
    ticket = take_ticket()
    for invoice in list(stripe_api.invoices(customer)):
        _tried(report, invoice.id, partial(looks.use_invoice, invoice, ticket, at, with_subscription=False))
    ticket = take_ticket()
    for payment in list(stripe_api.payments(customer)):
        _tried(report, payment.id, partial(looks.use_payment, payment, ticket, at))
    unfinished = Checkout.objects.for_team(team).unfinished()
    for checkout in unfinished.exclude(stripe_id=None).select_related("team"):
        _tried(report, f"checkout {checkout.pk}", partial(looks.look_at_checkout, checkout, at))


def _look_at_promotions(report: Report, at: datetime) -> None:
    ticket = take_ticket()
    for promotion in list(stripe_api.promotions()):
        _tried(report, promotion.code, partial(copies.apply_promotion, facts=promotion, ticket=ticket))


def _look_for_the_missing(seen: set[str], began: int, report: Report, at: datetime) -> None:
    """What we have and Stripe's list has not: it was deleted there, or is of another account."""
    for row in Customer.objects.exclude(stripe_id=None).exclude(stripe_id__in=seen):
        _tried(report, f"customer {row.stripe_id}", partial(looks.look_at_customer, str(row.stripe_id), at))
    for subscription in Subscription.objects.live().filter(fetch__lt=began):
        look = partial(looks.look_at_subscription, subscription.stripe_id, at)
        _tried(report, f"subscription {subscription}", look)


def _tried(report: Report, subject: str, look: Callable[[], list[str]]) -> None:
    report.looked_at += 1
    try:
        report.repaired += look()
    except PaymentsUnavailable:
        raise
    except IntegrityError as error:
        rule = broken_constraint(error).replace("_", " ")
        report.unrepaired.append(f"{subject}: it breaks the rule “{rule}”")
    except Refusal as refusal:
        report.unrepaired.append(f"{subject}: {refusal}")


def _without_money() -> Iterator[str]:
    """Lots that were granted for a payment that there is not."""
    paid = CreditPurchase.objects.filter(state=CreditPurchase.State.PAID).exclude(payment_id="")
    known = Payment.objects.filter(status="succeeded").values("stripe_id")
    for purchase in paid.exclude(payment_id__in=known).select_related("team"):
        yield f"{purchase.team} got Credits for the payment {purchase.payment_id}, which Stripe does not know"
