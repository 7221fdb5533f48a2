"""Changing a subscription for the amount that was shown, and what becomes of a change that was sent."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext

from billing import stripe_api
from billing.change_requests import ChangeRequest
from billing.errors import (
    AmountChanged,
    PaymentDeclined,
    PaymentsUnavailable,
    StripeMissing,
    StripeRefused,
)
from billing.models import Change, Subscription
from billing.selectors.prices import prices_of
from billing.services import changes
from billing.sync.schedule import MARGIN, may_wait, release_for_change
from billing.sync.subscriptions import sync_subscription
from billing.workflows.change_previews import PricedChange, price_change
from quota.money import usd_text
from teams.models import Team, User

logger = logging.getLogger(__name__)

# A preview is good so long; then the seconds that are paid for would be too many past.
SHOWN_FOR = timedelta(minutes=15)
# A change that was sent so long ago and is not seen at Stripe was not done.
SENT_FOR = timedelta(minutes=5)


def confirm_change(
    *,
    team: Team,
    request: ChangeRequest,
    amount_nanousd: int,
    proration_at: datetime | None,
    at: datetime,
    by: User,
) -> Change | None:
    """Does what was previewed, for the amount that was shown; returns the Change where it acts at once. The
    same confirmation again, as by a second click, gives the same Change.

    Raises AmountChanged, with the new amount, when it would cost otherwise now or was shown longer than
    15 minutes ago; PaymentDeclined and StripeRefused when it was not done; PaymentsUnavailable when that is
    not known yet: `settle_open_changes` finds out.
    """
    shown_at = _near(proration_at, at)
    if shown_at is not None:
        repeated = changes.repeated(
            team=team, request=request, amount_nanousd=amount_nanousd, proration_at=shown_at
        )
        if repeated is not None:
            return repeated
    moment = at.replace(microsecond=0)
    if shown_at is not None and moment - SHOWN_FOR <= shown_at <= moment + timedelta(minutes=1):
        moment = shown_at
    priced = price_change(team=team, request=request, moment=moment, at=at)
    refuse_another_amount(
        priced.preview.amount_nanousd,
        shown_nanousd=amount_nanousd,
        is_stale=priced.preview.at_once and priced.preview.proration_at != shown_at,
    )
    if priced.preview.at_once:
        return _change_at_once(priced, at, by)
    text = priced.preview.text
    changes.plan_ahead(team=priced.row.team, change=priced.change, text=text, at=at, by=by)
    sync_subscription(priced.row.stripe_id, at)
    return None


def refuse_another_amount(nanousd: int, *, shown_nanousd: int, is_stale: bool = False) -> None:
    """Raises AmountChanged unless what was shown is what it costs. `is_stale`: it was shown long ago."""
    if nanousd != shown_nanousd or is_stale:
        was = f", not {usd_text(shown_nanousd)}" if nanousd != shown_nanousd else ", and was shown long ago"
        raise AmountChanged(
            f"It is {usd_text(nanousd)} now{was}; confirm again if you agree.", amount_nanousd=nanousd
        )


def _near(moment: datetime | None, at: datetime) -> datetime | None:
    """In UTC; None for a moment more than a day away, which no preview can have shown."""
    return moment.astimezone(UTC) if moment is not None and abs(moment - at) <= timedelta(days=1) else None


def _change_at_once(priced: PricedChange, at: datetime, by: User) -> Change:
    target = prices_of(priced.change.now)
    agreed = changes.Agreed(
        request=priced.request,
        change=priced.change,
        text=priced.preview.text,
        target=target,
        amount_nanousd=priced.preview.amount_nanousd,
        proration_at=priced.preview.effective_at,
    )
    change = changes.open_change(team=priced.row.team, agreed=agreed, at=at, by=by)
    billed_from = priced.preview.billed_from or priced.preview.effective_at
    waits = may_wait(priced.change, priced.snapshot, at)
    try:
        release_for_change(change, priced.snapshot)
        stripe_api.change_subscription(
            priced.snapshot, target, request=change.pk, at=billed_from, may_wait=waits
        )
    except (PaymentDeclined, StripeRefused, StripeMissing) as refusal:
        changes.refuse_change(change=change, reason=refusal.detail, at=at)
        sync_subscription(priced.row.stripe_id, at)
        if isinstance(refusal, PaymentDeclined) and not waits:
            raise PaymentDeclined(
                gettext(
                    "%(reason)s Something is planned for the period's end, which is near, so this change"
                    " cannot wait for its payment. Use another card, or ask again when the new"
                    " period has begun."
                )
                % {"reason": refusal.detail}
            ) from refusal
        raise
    sync_subscription(priced.row.stripe_id, at)
    change.refresh_from_db()
    return change


def drop_change(*, change: Change, at: datetime) -> Change:
    """Gives up a change that waits for its payment: its invoice is voided, nothing is charged. One that was
    paid in this moment is done."""
    if change.invoice_id and change.closed_at is None:
        with suppress(StripeRefused):  # paid, or void already: the sync says which
            stripe_api.void_invoice(change.invoice_id)
    return settle_change(change=change, at=at)


def settle_change(*, change: Change, at: datetime) -> Change:
    """Finds out what became of a change. One that was sent a while ago and is not seen at Stripe was not
    done; it is never sent again.
    """
    sync_subscription(change.subscription.stripe_id, at)
    change.refresh_from_db()
    if change.state == Change.State.OPEN and change.created_at + SENT_FOR <= at:
        changes.refuse_change(change=change, reason="The payment service did not get it.", at=at)
        sync_subscription(change.subscription.stripe_id, at)
    change.refresh_from_db()
    return change


def settle_open_changes(*, at: datetime) -> int:
    """The sweep: every change that is not over. Returns how many are over now."""
    settled = 0
    sent = Change.objects.unfinished().filter(created_at__lte=at - SENT_FOR)
    for change in sent.select_related("subscription", "team"):
        try:
            settled += settle_change(change=change, at=at).closed_at is not None
        except PaymentsUnavailable as refusal:
            logger.warning("Change %s is not settled: %s", change.pk, refusal)
        except Exception:  # whatever is wrong with this one, the others are settled
            logger.exception("Change %s is not settled", change.pk)
    return settled


def keep_plans(*, at: datetime) -> int:
    """The sweep: what is planned for a period's end that is near and is not at Stripe yet, what was missed,
    and cancellations that Stripe did not hear. Returns how many subscriptions changed.
    """
    changed = 0
    for stripe_id in (
        Subscription.objects.live().with_plans_at_risk(at, MARGIN).values_list("stripe_id", flat=True)
    ):
        try:
            changed += bool(sync_subscription(stripe_id, at))
        except PaymentsUnavailable as refusal:
            logger.warning("What is planned for %s is not kept yet: %s", stripe_id, refusal)
        except Exception:  # whatever is wrong with this one, the others are kept
            logger.exception("What is planned for %s is not kept", stripe_id)
    return changed
