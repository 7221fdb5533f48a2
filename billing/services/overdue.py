"""What follows a payment of a subscription that failed: the Owner is notified, seats work for GRACE, then
they are suspended until it is paid. Called inside the transaction that applies a subscription.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.models import Subscription
from billing.services.notifications import notify_payers
from quota.models import Entitlement
from quota.services import entitlements
from teams.models import Seat
from teams.services import mail

# How long seats work after a payment failed (docs/rules.md, Failed payments).
GRACE = timedelta(days=7)

Status = Subscription.Status


def notify_of_payment(*, subscription: Subscription, overdue_before: datetime | None, at: datetime) -> None:
    """Notifies the Owner when a payment has failed, and when it has arrived after all. `overdue_before`:
    since when a payment was overdue in our rows before this sync; None if none was.
    """
    team, since = subscription.team, subscription.past_due_since
    # What was behind an older invoice that is paid now is old news, unless there is still time to pay it.
    if since not in (None, overdue_before) and (overdue_before is None or at < since + GRACE):
        notify_payers(
            team=team,
            kind="payment_failed",
            dedupe_key=f"payment_failed:{subscription.stripe_id}:{since.isoformat()}",
            at=at,
            works_until=(since + GRACE).isoformat(),
        )
    elif overdue_before and since is None and subscription.status in (Status.ACTIVE, Status.TRIALING):
        about = f"{subscription.stripe_id}:{overdue_before.isoformat()}"
        mail.take_back(f"payment_failed:{about}:")
        once = f"payment_recovered:{about}"
        notify_payers(team=team, kind="payment_recovered", dedupe_key=once, at=at)


def stops_at(*, subscription: Subscription, overdue_since: datetime | None, at: datetime) -> datetime | None:
    """When the seats stop, unless it is paid; None while nothing is owed."""
    if overdue_since is not None:
        return overdue_since + GRACE
    if subscription.status not in Subscription.OWES:
        return None
    # Past due without an unpaid invoice: it was paid a moment ago, and the next sync says so.
    return None if subscription.status == Status.PAST_DUE else at


def suspend_or_resume_seat(
    *,
    seat: Seat,
    entitlement: Entitlement,
    stops: datetime | None,
    was_overdue: bool,
    at: datetime,
) -> list[str]:
    """Suspends a seat from `stops` on; where that is None, resumes it if payment had been overdue: a seat
    that an operator suspended stays suspended. `entitlement` is what the seat may use now.
    """
    if stops is not None:
        if entitlement.suspended_at != stops and not entitlement.is_suspended(at):
            entitlements.suspend_seat(seat=seat, since=stops, at=at, by=None)
            return [f"seat {seat.number} stops at {stops:%Y-%m-%d %H:%M} unless it is paid"]
    elif entitlement.suspended_at is not None and was_overdue:
        entitlements.resume_seat(seat=seat, at=at, by=None)
        return [f"seat {seat.number} works again"]
    return []
