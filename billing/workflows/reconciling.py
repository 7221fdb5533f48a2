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
from billing.errors import PaymentsUnavailable, StripeMissing
from billing.facts import CustomerFacts
from billing.models import Checkout, CreditPurchase, Customer, Payment, Subscription
from billing.services import checkouts, copies
from billing.services.fetches import take_ticket
from billing.workflows import looks
from teams.errors import Refusal
from teams.models import Membership, Role, Team, User
from teams.services import mail
from teams.transactions import one_transaction


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
    seen: set[str] = set()
    for customer in list(stripe_api.customers()):
        team = None if customer.deleted else _repaired_team(customer, report, at)
        if team is not None:
            seen.add(customer.id)
            _look_at_all_of(customer, team, report, at)
    _look_at_promotions(report, at)
    report.unrepaired += _missing(seen)
    report.unrepaired += _without_money()
    return report


def _repaired_team(customer: CustomerFacts, report: Report, at: datetime) -> Team | None:
    if not customer.team and not Customer.objects.filter(stripe_id=customer.id).exists():
        return None
    ticket = take_ticket()
    team = looks.team_of(customer.id, at)
    if team is None:
        report.unrepaired.append(
            f"customer {customer.id} says that it is Team {customer.team}, which is another customer, or none"
        )
        return None
    facts = stripe_api.customer(customer.id)
    report.repaired += checkouts.apply_customer(team=team, facts=facts, ticket=ticket, at=at)
    owner = Membership.objects.for_team(team).live().select_related("user").filter(role=Role.OWNER).first()
    if owner is not None and facts.email != owner.user.email:
        stripe_api.update_customer(customer.id, name=team.name, email=owner.user.email)
        report.repaired.append(f"customer {customer.id}: mail goes to the Owner, {owner.user.email}")
    return team


def _look_at_all_of(customer: CustomerFacts, team: Team, report: Report, at: datetime) -> None:
    """Ended subscriptions before live ones, so that a Team never seems to have two."""
    ticket = take_ticket()
    subscriptions = sorted(stripe_api.subscriptions(customer.id), key=lambda facts: facts.ended_at is None)
    for subscription in subscriptions:
        _tried(report, subscription.id, partial(looks.use_subscription, subscription, ticket, at))
    ticket = take_ticket()
    for invoice in list(stripe_api.invoices(customer.id)):
        _tried(report, invoice.id, partial(looks.use_invoice, invoice, ticket, at, with_subscription=False))
    ticket = take_ticket()
    for payment in list(stripe_api.payments(customer.id)):
        _tried(report, payment.id, partial(looks.use_payment, payment, ticket, at))
    unfinished = Checkout.objects.for_team(team).filter(state__in=["open", "processing"])
    for checkout in unfinished.exclude(stripe_id=None).select_related("team"):
        _tried(report, str(checkout.pk), partial(looks.look_at_checkout, checkout, at))


def _look_at_promotions(report: Report, at: datetime) -> None:
    ticket = take_ticket()
    for promotion in list(stripe_api.promotions()):
        _tried(report, promotion.code, partial(copies.apply_promotion, facts=promotion, ticket=ticket))


def _tried(report: Report, subject: str, look: Callable[[], list[str]]) -> None:
    report.looked_at += 1
    try:
        report.repaired += look()
    except PaymentsUnavailable:
        raise
    except (Refusal, IntegrityError) as error:
        report.unrepaired.append(f"{subject}: {error}")


def _missing(seen: set[str]) -> Iterator[str]:
    """What we have and Stripe has not."""
    for row in Subscription.objects.live().select_related("team__customer"):
        if row.team.customer.stripe_id not in seen:
            yield f"{row.team} has the live subscription {row}, and Stripe does not know its customer"
            continue
        try:
            stripe_api.subscription(row.stripe_id)
        except StripeMissing:
            yield f"{row.team} has the live subscription {row}, which Stripe does not know"
    for payment in Payment.objects.filter(status="succeeded", team__customer__stripe_id=None):
        yield f"{payment.team} has the payment {payment}, and no customer at Stripe"


def _without_money() -> Iterator[str]:
    """Lots that were granted and not paid for, payments for Credits without a lot."""
    paid = CreditPurchase.objects.filter(state=CreditPurchase.State.PAID).exclude(payment_id="")
    known = Payment.objects.filter(status="succeeded").values("stripe_id")
    for purchase in paid.exclude(payment_id__in=known).select_related("team"):
        yield f"{purchase.team} got Credits for the payment {purchase.payment_id}, which Stripe does not know"


@one_transaction()
def tell(*, report: Report, at: datetime) -> None:
    """Mails the operators what could not be repaired, once a day."""
    for operator in User.objects.filter(is_staff=True, is_active=True):
        mail.queue(
            kind="stripe_differs",
            to=operator.email,
            context={"lines": "\n".join(report.unrepaired[:50]), "count": len(report.unrepaired)},
            dedupe_key=f"stripe_differs:{at:%Y-%m-%d}:{operator.pk}",
            at=at,
        )
