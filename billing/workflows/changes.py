"""Changing a subscription for the amount that was shown, and what becomes of a change that was sent."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from billing import stripe_api
from billing.change_requests import ChangeRequest
from billing.errors import (
    AddressNeeded,
    AmountChanged,
    PaymentDeclined,
    StripeMissing,
    StripeRefused,
)
from billing.models import Change, Subscription
from billing.selectors.prices import prices_of
from billing.services import changes
from billing.sync.schedule import MARGIN, may_wait, release_for_change
from billing.sync.subscriptions import sync_subscription
from billing.workflows.batches import work_each
from billing.workflows.change_previews import PricedChange, price_change
from quota.money import usd_text
from teams.models import Team, User
from tokenplan.kit.stored_texts import stored_detail, with_values

# How long a preview can be confirmed; the proration counts from the moment at which it was shown.
SHOWN_FOR = timedelta(minutes=15)
# A change that was sent longer ago than this, and does not show at Stripe, was not done.
SENT_FOR = timedelta(minutes=5)
OTHER_AMOUNT = gettext_noop("It is %(amount)s now, not %(shown)s; confirm again if you agree.")
SHOWN_LONG_AGO = gettext_noop("It is %(amount)s now, and was shown long ago; confirm again if you agree.")


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
    text = priced.stored_text
    changes.plan_ahead(team=priced.row.team, change=priced.change, text=text, at=at, by=by)
    sync_subscription(priced.row.stripe_id, at)
    return None


def refuse_another_amount(nanousd: int, *, shown_nanousd: int, is_stale: bool = False) -> None:
    """Raises AmountChanged unless it costs what was shown. `is_stale`: it was shown too long ago."""
    if nanousd != shown_nanousd or is_stale:
        text = OTHER_AMOUNT if nanousd != shown_nanousd else SHOWN_LONG_AGO
        amounts = {"amount": usd_text(nanousd), "shown": usd_text(shown_nanousd)}
        raise AmountChanged(with_values(text, amounts), amount_nanousd=nanousd)


def _near(moment: datetime | None, at: datetime) -> datetime | None:
    """In UTC; None for a moment more than a day away, which no preview can have shown."""
    return moment.astimezone(UTC) if moment is not None and abs(moment - at) <= timedelta(days=1) else None


def _change_at_once(priced: PricedChange, at: datetime, by: User) -> Change:
    target = prices_of(priced.change.now)
    agreed = changes.Agreed(
        request=priced.request,
        change=priced.change,
        text=priced.stored_text,
        target=target,
        amount_nanousd=priced.preview.amount_nanousd,
        proration_at=priced.preview.effective_at,
    )
    change = changes.open_change(team=priced.row.team, agreed=agreed, at=at, by=by)
    billed_from = priced.preview.billed_from or priced.preview.effective_at
    waits = may_wait(priced.change, priced.snapshot, at)
    kept = stripe_api.kept_discounts(priced.snapshot, priced.change.now.interval)
    try:
        release_for_change(change, priced.snapshot)
        # Something else may have used the balance up since.
        costs_now = stripe_api.preview_change(priced.snapshot, target, at=billed_from, discounts=kept)
        refuse_another_amount(costs_now.due_nanousd, shown_nanousd=change.amount_nanousd)
        stripe_api.change_subscription(
            priced.snapshot,
            target,
            request=change.pk,
            at=billed_from,
            may_wait=waits,
            discounts=kept,
        )
    except (AmountChanged, PaymentDeclined, StripeRefused, StripeMissing, AddressNeeded) as refusal:
        changes.refuse_change(change=change, reason=stored_detail(refusal), at=at)
        sync_subscription(priced.row.stripe_id, at)
        if isinstance(refusal, PaymentDeclined) and not waits:
            raise PaymentDeclined(
                _(
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
    """Gives up a change that waits for its payment: its invoice is voided, nothing is charged. If it
    has just been paid, it is done."""
    if change.invoice_id and change.closed_at is None:
        with suppress(StripeRefused):  # paid, or void already: the sync says which
            stripe_api.void_invoice(change.invoice_id)
    return settle_change(change=change, at=at)


def settle_change(*, change: Change, at: datetime) -> Change:
    """Finds out what became of a change. One that was sent longer than SENT_FOR ago and does not show at
    Stripe was not done; it is never sent again.
    """
    sync_subscription(change.subscription.stripe_id, at)
    change.refresh_from_db()
    if change.state == Change.State.OPEN and change.created_at + SENT_FOR <= at:
        with override(settings.LANGUAGE_CODE):  # it is stored
            reason = _("The payment service did not get it.")
        changes.refuse_change(change=change, reason=reason, at=at)
        sync_subscription(change.subscription.stripe_id, at)
    change.refresh_from_db()
    return change


def settle_open_changes(*, at: datetime) -> int:
    """The sweep: every change that is not over. Returns how many are over now. Raises PaymentsUnavailable."""
    sent = Change.objects.unfinished().filter(created_at__lte=at - SENT_FOR)
    return work_each(
        sent.select_related("subscription", "team"),
        lambda change: settle_change(change=change, at=at).closed_at is not None,
        "Change %s is not settled",
    )


def keep_plans(*, at: datetime) -> int:
    """The sweep: what is planned for a period's end that is near and is not at Stripe yet, what was missed,
    and cancellations that Stripe did not hear. Returns how many subscriptions changed. Raises
    PaymentsUnavailable.
    """
    return work_each(
        Subscription.objects.live().with_plans_at_risk(at, MARGIN),
        lambda row: bool(sync_subscription(row.stripe_id, at)),
        "What is planned for subscription %s is not kept",
    )
