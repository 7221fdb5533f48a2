"""Mails about money, queued in the transaction that causes them: to who pays for a Team, and to operators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.models import BillingContact, Change, Payment, Refund, Subscription
from billing.stripe_api.snapshots import RefundSnapshot
from teams.models import Membership, Team
from teams.services import mail
from tokenplan.kit.transactions import one_transaction


def notify_owner(*, team: Team, kind: str, dedupe_key: str, at: datetime, **context: str | int) -> None:
    """As `notify_payers`, to the Owner alone: about what is no payment of the Team's."""
    owner = Membership.objects.owner_of(team)
    if owner is not None:
        shared = {"team": team.kept_name, "slug": team.slug, "at": at.isoformat(), **context}
        mail.queue(kind=kind, to=owner.user.email, context=shared, dedupe_key=dedupe_key, at=at)


def notify_payers(*, team: Team, kind: str, dedupe_key: str, at: datetime, **context: str | int) -> None:
    """Queues a mail to the Owner, to whoever has the Billing right and an open account, and to the Team's
    billing contacts once it has paid for something, each once per `dedupe_key`; none for a Team that was
    deleted.

    `context` holds values, which the template words when the mail is sent: moments in ISO 8601, amounts in
    nano-dollars, ids. `team`, `slug` and `at` are added to it.
    """
    owner = Membership.objects.owner_of(team)
    if owner is None:
        return
    shared = {"team": team.kept_name, "slug": team.slug, "at": at.isoformat(), **context}
    addressed = set()
    payers = team.memberships.live().filter(manages_billing=True, user__is_active=True)
    for member in [owner, *payers.select_related("user")]:
        addressed.add(member.user.email)
        once = f"{dedupe_key}:{member.user_id}"
        mail.queue(kind=kind, to=member.user.email, context=shared, dedupe_key=once, at=at)
    if not Payment.objects.for_team(team).filter(status="succeeded").exists():
        return  # who has never paid has nothing to report to others (docs/decisions/0080)
    for contact in BillingContact.objects.for_team(team).exclude(email__in=addressed):
        about = {**shared, "contact_of": team.kept_name}
        once = f"contact:{contact.pk}:{dedupe_key}"
        language = owner.user.language
        mail.queue(kind=kind, to=contact.email, context=about, dedupe_key=once, at=at, language=language)


def notify_of_failed_refund(
    *, payment: Payment, snapshot: RefundSnapshot, ended: Sequence[str], at: datetime
) -> None:
    """Mails operators that money which was paid back has come back. `ended`: what the refund undid of the
    Team's seats, a line each. Called inside a transaction.
    """
    context: dict[str, str | int] = {
        "team": payment.team.kept_name,
        "payment": payment.stripe_id,
        "amount": snapshot.amount_nanousd,
        "reason": snapshot.failure.replace("_", " "),
        "ended": "\n".join(ended),
    }
    mail.queue_for_operators(
        kind="refund_failed", context=context, dedupe_key=f"refund_failed:{snapshot.id}", at=at
    )


def notify_of_refused_refund(*, refund: Refund, at: datetime) -> None:
    """Mails operators that Stripe refused a refund: whoever asked for it may not look at it any more, and
    some are nobody's. Called inside a transaction.
    """
    payment = refund.payment
    context: dict[str, str | int] = {
        "team": payment.team.kept_name,
        "payment": payment.stripe_id,
        "amount": refund.amount_nanousd,
        "reason": refund.error,
    }
    mail.queue_for_operators(
        kind="refund_refused", context=context, dedupe_key=f"refund_refused:{refund.pk}", at=at
    )


def notify_of_what_is_not_undone(*, change: Change, at: datetime) -> None:
    """Mails operators, once, that a change whose payment was taken back stays as it is. Called inside a
    transaction.
    """
    context: dict[str, str | int] = {
        "team": change.team.kept_name,
        "change": change.text,
        "subscription": change.subscription.stripe_id,
    }
    mail.queue_for_operators(kind="not_undone", context=context, dedupe_key=f"not_undone:{change.pk}", at=at)


@one_transaction()
def notify_of_what_does_not_follow(*, payment: Payment, reason: str, at: datetime) -> None:
    """Mails operators, once, that a payment was taken back whole, and that Stripe refuses to take away the
    seats that it paid for.
    """
    context: dict[str, str | int] = {
        "team": payment.team.kept_name,
        "payment": payment.stripe_id,
        "reason": reason,
    }
    key = f"does_not_follow:{payment.stripe_id}"
    mail.queue_for_operators(kind="does_not_follow", context=context, dedupe_key=key, at=at)


@one_transaction()
def notify_of_a_month_in_a_year(*, payment: Payment, subscription: Subscription, at: datetime) -> None:
    """Mails operators, once, that the payment of a month was taken back whole, what was left of which has
    gone into the price of the year that runs: nothing ends.
    """
    context: dict[str, str | int] = {
        "team": payment.team.kept_name,
        "payment": payment.stripe_id,
        "subscription": subscription.stripe_id,
    }
    key = f"month_in_a_year:{payment.stripe_id}"
    mail.queue_for_operators(kind="month_in_a_year", context=context, dedupe_key=key, at=at)


@one_transaction()
def notify_operators(*, unrepaired: Sequence[str], at: datetime) -> None:
    """Mails them what differs from Stripe and could not be repaired, once a day."""
    context: dict[str, str | int] = {"lines": "\n".join(unrepaired[:50]), "count": len(unrepaired)}
    mail.queue_for_operators(
        kind="stripe_differs", context=context, dedupe_key=f"stripe_differs:{at:%Y-%m-%d}", at=at
    )
