"""Compares what Stripe has of ours with our rows, and makes them agree: what events should have brought, and
what no event brings. What cannot be compared is named, and everything else is compared all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Any, TypeVar

from django.db import IntegrityError
from django.db.models import F, Min, Q

from billing import stripe_api
from billing.errors import AnswerUnreadable, PaymentsUnavailable
from billing.fetch import Fetched, fetch
from billing.models import (
    Checkout,
    CreditPurchase,
    Customer,
    InviteVoucher,
    Invoice,
    Payment,
    Refund,
    Subscription,
)
from billing.selectors.purchase_lots import differences_of_lots
from billing.services.customers import mark_reconciled
from billing.services.invite_vouchers import keep_voucher
from billing.services.promotions import apply_promotion
from billing.services.refunds import take_back_credits
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.stripe_api.reading import Listed
from billing.stripe_api.snapshots import (
    CustomerSnapshot,
    PaymentSnapshot,
    PromotionSnapshot,
    SubscriptionSnapshot,
)
from billing.sync.checkouts import sync_checkout
from billing.sync.customers import renew_contact, sync_customer, team_of_customer
from billing.sync.invoices import apply_fetched_invoice, sync_invoice
from billing.sync.payments import apply_fetched_payment, sync_payment, sync_refund
from billing.sync.subscriptions import (
    apply_fetched_subscription,
    left_alone,
    only_ours,
)
from teams.models import Team
from tokenplan.kit.errors import Refusal
from tokenplan.kit.transactions import broken_constraint

logger = logging.getLogger(__name__)

T = TypeVar("T")
# What is older than this before the last run of a Team was compared in it.
OVERLAP = timedelta(days=3)
# A bank may send the money of a refund back for so long; no list says which refunds it was.
REFUND_MAY_FAIL = timedelta(days=40)
# After so many Teams in a row without an answer the rest waits for the next run.
MOST_UNANSWERED = 5
EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Report:
    """`repaired`: differences that this run has removed. `unrepaired`: those that a person must look at, and
    what was not compared. `compared`: how many objects were compared; `unanswered`: how many questions Stripe
    did not answer.
    """

    repaired: list[str] = field(default_factory=list)
    unrepaired: list[str] = field(default_factory=list)
    compared: int = 0
    unanswered: int = 0

    def repair(self, subject: str, sync: Callable[[], list[str]]) -> None:
        """What cannot be repaired is named, an answer that did not come too."""
        try:
            self.repaired += sync()
        except IntegrityError as error:
            rule = broken_constraint(error).replace("_", " ")
            self.unrepaired.append(f"{subject}: it breaks the rule “{rule}”")
        except Refusal as refusal:
            self.name(subject, refusal)
            if _is_silence(refusal):
                return
        except Exception as error:  # whatever is wrong with this one, the others are compared
            logger.exception("%s was not compared", subject)
            self.unrepaired.append(f"{subject}: {type(error).__name__}: {error}")
        self.compared += 1

    def name(self, subject: str, refusal: Refusal) -> None:
        self.unanswered += _is_silence(refusal)
        self.unrepaired.append(f"{subject}: {refusal}")

    def listed(
        self, subject: str, ask: Callable[[], Iterable[Listed[T]]], since: datetime
    ) -> Iterator[tuple[str, Callable[[], Fetched[T]]]]:
        """The id of each object made since then, the newest first, and how to read it. What was listed
        before an answer failed to come is compared.
        """
        found: list[Listed[T]] = []
        began = fetch(lambda: None)
        try:
            found.extend(takewhile(lambda one: one.created_at >= since, ask()))
        except Refusal as refusal:
            self.name(subject, refusal)
        for one in found:
            yield one.id, partial(_read, one, began)


def _is_silence(refusal: Refusal) -> bool:
    return isinstance(refusal, PaymentsUnavailable) and not isinstance(refusal, AnswerUnreadable)


def _read(one: Listed[T], began: Fetched[None]) -> Fetched[T]:
    return began.holding(one.read())


def reconcile(*, at: datetime, everything: bool = False) -> Report:
    """What is new since each Team was last compared, and what was not over then; `everything`: all there is.
    The Team that was compared longest ago comes first. Raises PaymentsUnavailable when Stripe does not answer
    at all; run it again then.
    """
    report = Report()
    known = Customer.objects.exclude(stripe_id=None)
    oldest = known.aggregate(at=Min("reconciled_at"))["at"]
    since = EVER if everything or oldest is None else oldest - OVERLAP
    oldest_first = known.order_by(F("reconciled_at").asc(nulls_first=True), "pk")
    ids = [str(id) for id in oldest_first.values_list("stripe_id", flat=True)]
    for id, customer in report.listed("the list of customers", stripe_api.customers, since):
        if id not in ids:
            report.repair(f"customer {id}", partial(_find_team, customer, ids, report, at))
    _repair_teams(ids, report, at, everything=everything)
    for id, promotion in report.listed("the list of promotion codes", stripe_api.promotions, EVER):
        report.repair(f"promotion {id}", partial(_apply_promotion, promotion))
    if since > EVER:
        _repair_what_was_taken_back(since, report, at)
    for refund in Refund.objects.filter(state=Refund.State.DONE, created_at__gte=at - REFUND_MAY_FAIL):
        report.repair(f"refund {refund.stripe_id}", partial(sync_refund, refund.stripe_id, at))
    if report.unanswered and not report.compared:
        raise PaymentsUnavailable(retry_after=60)
    _take_what_came_back(report, at)
    report.unrepaired += _granted_without_payment()
    report.unrepaired += differences_of_lots()
    return report


def _repair_teams(ids: list[str], report: Report, at: datetime, *, everything: bool) -> None:
    silent = 0
    for number, customer_id in enumerate(ids):
        if silent == MOST_UNANSWERED:
            rest = len(ids) - number
            report.unrepaired.append(f"{rest} Teams were not compared: Stripe did not answer {silent} times")
            return
        before = report.unanswered
        _repair_team(customer_id, report, at, everything=everything)
        silent = silent + 1 if report.unanswered > before else 0


def _find_team(
    read: Callable[[], Fetched[CustomerSnapshot]], ids: list[str], report: Report, at: datetime
) -> list[str]:
    """A customer that no row of ours knows is compared too if it says which Team it is."""
    customer_id, named = read().value.id, read().value.team_id
    if not named:
        return []
    team = team_of_customer(customer_id, at)
    if team is not None:
        ids.insert(0, customer_id)
        return [f"customer {customer_id}: is {team}"]
    if _has_paid(customer_id):
        whose = f"says that it is Team {named}, which is another customer, or none"
        report.unrepaired.append(f"customer {customer_id} {whose}")
    return []


def _has_paid(customer_id: str) -> bool:
    """A customer without any payment was made by a request whose answer was lost, and is nobody's."""
    anything = (stripe_api.subscriptions(customer_id), stripe_api.payments(customer_id))
    return any(next(iter(found), None) is not None for found in anything)


def _repair_team(customer_id: str, report: Report, at: datetime, *, everything: bool) -> None:
    """Raises nothing that Stripe says. Only when all of it was answered is the next run shorter."""
    row = Customer.objects.filter(stripe_id=customer_id).select_related("team").first()
    if row is None:
        return
    since = EVER if everything or row.reconciled_at is None else row.reconciled_at - OVERLAP
    unanswered = report.unanswered
    report.repair(f"customer {customer_id}", partial(sync_customer, customer_id, at))
    if report.unanswered > unanswered:
        return  # the rest would not be answered either
    report.repair(f"customer {customer_id}", partial(renew_contact, row))
    _repair_subscriptions(customer_id, row.team, report, at, since)
    _repair_payments(customer_id, row.team, report, at, since)
    unfinished = Checkout.objects.for_team(row.team).unfinished()
    for checkout in unfinished.exclude(stripe_id=None).select_related("team"):
        report.repair(f"checkout {checkout.pk}", partial(sync_checkout, checkout, at))
    if report.unanswered == unanswered:
        mark_reconciled(customer_id=customer_id, at=at)


def _repair_subscriptions(
    customer_id: str, team: Team, report: Report, at: datetime, since: datetime
) -> None:
    """Ended subscriptions before live ones, so that a Team never seems to have two. What we have and Stripe's
    list has not was deleted there, or is of another account.
    """
    named = f"the subscriptions of {customer_id}"
    read: list[Fetched[SubscriptionSnapshot]] = []
    tried: set[str] = set()
    for id, subscription in report.listed(named, partial(stripe_api.subscriptions, customer_id), since):
        tried.add(id)
        try:
            read.append(subscription())
        except AnswerUnreadable as unread:
            report.name(f"subscription {id}", unread)
    for fetched in sorted(read, key=lambda one: one.value.ended_at is None):
        report.repair(fetched.value.id, partial(apply_fetched_subscription, fetched, at))
        if fetched.value.ended_at is None:
            report.unrepaired += left_alone(only_ours(fetched.value))
    for row in Subscription.objects.for_team(team).live().exclude(stripe_id__in=tried):
        report.repair(f"subscription {row}", partial(_sync_live, row.stripe_id, report, at))


def _sync_live(id: str, report: Report, at: datetime) -> list[str]:
    fetched = fetch(lambda: stripe_api.subscription(id))
    report.unrepaired += left_alone(only_ours(fetched.value))
    return apply_fetched_subscription(fetched, at)


def _repair_payments(customer_id: str, team: Team, report: Report, at: datetime, since: datetime) -> None:
    """Invoices and payments: the new ones, and those of ours that were not over."""
    tried: set[str] = set()
    for id, bill in report.listed(
        f"the invoices of {customer_id}", partial(stripe_api.invoices, customer_id), since
    ):
        tried.add(id)
        report.repair(f"invoice {id}", partial(_apply_invoice, bill, at))
    for id, payment in report.listed(
        f"the payments of {customer_id}", partial(stripe_api.payments, customer_id), since
    ):
        tried.add(id)
        report.repair(f"payment {id}", partial(_apply_payment, payment, at))
    bills = Invoice.objects.for_team(team).filter(status__in=("draft", "open", "uncollectible"))
    for invoice in bills.exclude(stripe_id__in=tried):
        report.repair(f"invoice {invoice.stripe_id}", partial(sync_invoice, invoice.stripe_id, at))
    under_way = ~Q(status__in=("succeeded", "canceled")) | Q(dispute=Payment.Dispute.OPEN)
    for row in Payment.objects.for_team(team).filter(under_way).exclude(stripe_id__in=tried):
        report.repair(f"payment {row.stripe_id}", partial(sync_payment, row.stripe_id, at))


def _apply_invoice(read: Callable[[], Fetched[InvoiceSnapshot]], at: datetime) -> list[str]:
    return apply_fetched_invoice(read(), at, with_subscription=False)


def _apply_payment(read: Callable[[], Fetched[PaymentSnapshot]], at: datetime) -> list[str]:
    return apply_fetched_payment(read(), at)


def _apply_promotion(read: Callable[[], Fetched[PromotionSnapshot]]) -> list[str]:
    return apply_promotion(fetched=read())


def _repair_what_was_taken_back(since: datetime, report: Report, at: datetime) -> None:
    """Refunds and disputes are new where their payment is not."""
    for id, payment in report.listed("the list of refunds", stripe_api.refunded, since):
        report.repair(f"refund {id}", partial(_sync_taken_back, payment, at))
    for id, payment in report.listed("the list of disputes", stripe_api.disputed, since):
        report.repair(f"dispute {id}", partial(_sync_taken_back, payment, at))


def _sync_taken_back(payment: Callable[[], Fetched[str]], at: datetime) -> list[str]:
    known = Payment.objects.filter(stripe_id=payment().value).first()
    return sync_payment(known.stripe_id, at) if known else []


def _take_what_came_back(report: Report, at: datetime) -> None:
    """What a refund found used and a charge that was undone has brought back; this is not asked of Stripe."""
    came_back: dict[str, Any] = {"clawed_nanousd__gt": 0, "lot__remaining_nanousd__gt": 0}
    for purchase in CreditPurchase.objects.filter(**came_back).select_related("team"):
        report.repair(f"purchase {purchase.pk}", partial(take_back_credits, purchase=purchase, at=at))
    for bill in Invoice.objects.filter(invite_voucher__in=InviteVoucher.objects.filter(**came_back)):
        report.repair(f"voucher for {bill}", partial(keep_voucher, invoice=bill, at=at))


def _granted_without_payment() -> Iterator[str]:
    """Lots that were granted for a payment which Stripe does not know."""
    paid = CreditPurchase.objects.filter(state=CreditPurchase.State.PAID).exclude(payment_id="")
    known = Payment.objects.filter(status="succeeded").values("stripe_id")
    for purchase in paid.exclude(payment_id__in=known).select_related("team"):
        what = "Credits" if purchase.account == "credits" else "API balance"
        yield f"{purchase.team} got {what} for the payment {purchase.payment_id}, which Stripe does not know"
