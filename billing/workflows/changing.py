"""Changing a subscription: shown first with its exact money, then done for the amount that was shown."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing import stripe_api
from billing.changes import (
    ADD,
    CANCEL,
    RESUME,
    Outcome,
    SeatPlanned,
    Wish,
    billed,
    billed_later,
    outcome,
)
from billing.errors import (
    AmountChanged,
    ChangeInProgress,
    NothingToChange,
    NotOnSale,
    PaymentDeclined,
    PaymentsUnavailable,
    StripeMissing,
    StripeRefused,
)
from billing.facts import LineFacts, SubscriptionFacts
from billing.models import Change, Subscription
from billing.selectors.effects import Effect, effects_of
from billing.selectors.prices import cost_of_seats, prices_of
from billing.services import changes
from billing.services.fetches import take_ticket
from billing.workflows.looks import look_at_subscription, use_subscription
from billing.workflows.texts import text_of
from quota.models import Plan
from quota.money import usd_text
from teams.models import Team, User
from tokenplan.kit.errors import InvalidValue

logger = logging.getLogger(__name__)

# A preview is good so long; then the seconds that are paid for would be too many past.
SHOWN_FOR = timedelta(minutes=15)
# A change that was sent so long ago and is not seen at Stripe was not done.
SENT_FOR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a wish does. `amount_nanousd` is what confirming sends back: charged now where it acts `at_once`
    (the proration is counted from `proration_at`), else the next regular invoice. `renewal_nanousd`: the
    regular invoice afterwards, at `renews_at`; None where none will come.
    """

    text: str
    at_once: bool
    amount_nanousd: int
    lines: tuple[LineFacts, ...]
    effective_at: datetime
    proration_at: datetime | None
    renewal_nanousd: int | None
    renews_at: datetime
    effects: tuple[Effect, ...]

    @property
    def rest_nanousd(self) -> int:
        """What the amount is beyond the lines: discounts, tax, and the Team's balance."""
        return self.amount_nanousd - sum(line.amount_nanousd for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Plan:
    """A wish worked out."""

    row: Subscription
    facts: SubscriptionFacts
    before: tuple[SeatPlanned, ...]
    result: Outcome | None
    preview: Preview


def preview(*, team: Team, wish: Wish, at: datetime) -> Preview:
    """Nothing is changed. Raises what `changeable` and `outcome` do, NotOnSale, and what Stripe says."""
    return _worked_out(team, wish, at.replace(microsecond=0), at).preview


def confirm(
    *, team: Team, wish: Wish, amount_nanousd: int, proration_at: datetime | None, at: datetime, by: User
) -> Change | None:
    """Does what was previewed, for the amount that was shown; returns the Change where it acts at once. The
    same confirmation again, as by a second click, gives the same Change.

    Raises AmountChanged, with the new amount, when it would cost otherwise now or was shown longer than
    15 minutes ago; PaymentDeclined and StripeRefused when it was not done; PaymentsUnavailable when that is
    not known yet: it is found out by the sweep.
    """
    proration_at = _near(proration_at, at)
    confirmed = _confirmed(team, wish, amount_nanousd, proration_at)
    if confirmed is not None:
        return confirmed
    moment = at.replace(microsecond=0)
    shown = proration_at is not None and moment - SHOWN_FOR <= proration_at <= moment + timedelta(minutes=1)
    plan = _worked_out(team, wish, proration_at if shown and proration_at else moment, at)
    stale = plan.preview.at_once and plan.preview.proration_at != proration_at
    if stale or plan.preview.amount_nanousd != amount_nanousd:
        now = plan.preview.amount_nanousd
        was = f", not {usd_text(amount_nanousd)}" if now != amount_nanousd else ", and was shown long ago"
        raise AmountChanged(
            f"It is {usd_text(now)} now{was}; confirm again if you agree.", amount_nanousd=now
        )
    if plan.result is None:
        _cancel_or_resume(plan, wish, at, by)
        return None
    if not plan.preview.at_once:
        _plan_ahead(plan, plan.result, at, by)
        return None
    return _at_once(plan, plan.result, plan.preview, at, by)


def _near(moment: datetime | None, at: datetime) -> datetime | None:
    """In UTC; None for what no preview of these days has shown, and a database may not even know."""
    return moment.astimezone(UTC) if moment is not None and abs(moment - at) <= timedelta(days=1) else None


def _confirmed(team: Team, wish: Wish, amount_nanousd: int, proration_at: datetime | None) -> Change | None:
    """The Change that this very preview became, unless it was refused."""
    if proration_at is None:
        return None
    text = text_of(wish, {plan.pk: plan for plan in Plan.objects.filter(pk=wish.plan or 0)})
    same = Change.objects.for_team(team).filter(
        proration_at=proration_at, amount_nanousd=amount_nanousd, text=text
    )
    return same.exclude(state=Change.State.REFUSED).first()


def _worked_out(team: Team, wish: Wish, moment: datetime, at: datetime) -> _Plan:
    """What the wish does at `moment`; `at` is now."""
    if team.is_default and wish.kind == ADD:
        raise InvalidValue("Your own Team has one seat; create a Team for more people", pointer="/seats")
    if wish.plan is not None and not Plan.objects.sellable().filter(pk=wish.plan).exists():
        raise NotOnSale
    row, facts = _agreeing(team, wish, at)
    seats = tuple(changes.planned(row))
    if wish.kind in (CANCEL, RESUME):
        return _Plan(row, facts, seats, None, _ending(row, wish, seats, facts))
    result = outcome(wish, seats, row.interval, row.next_interval, cost_of_seats(row.interval))
    # What was shown before this period began was not of this period.
    moment = moment if moment >= facts.period_start else at.replace(microsecond=0)
    return _Plan(row, facts, seats, result, _priced(row, wish, facts, seats, result, moment))


def _agreeing(team: Team, wish: Wish, at: datetime) -> tuple[Subscription, SubscriptionFacts]:
    """Our row and what Stripe says, which are the same: where they differ, the row follows first."""
    row, ticket = _row_for(team, wish), take_ticket()
    facts = stripe_api.subscription(row.stripe_id)
    if not _agree(row, facts):
        use_subscription(facts, ticket, at)
        row = _row_for(team, wish)
        if not _agree(row, facts):
            raise ChangeInProgress("The subscription changes in this moment; try again.")
    return row, facts


def _agree(row: Subscription, facts: SubscriptionFacts) -> bool:
    """Also, the seats that are billed are there."""
    counted = billed(changes.planned(row), row.interval)
    return (
        (row.status, row.interval, row.cancel_at, row.period_end, row.ended_at)
        == (facts.status, facts.interval, facts.cancel_at, facts.period_end, facts.ended_at)
    ) and prices_of(counted) == facts.quantities


def _row_for(team: Team, wish: Wish) -> Subscription:
    if wish.kind not in (CANCEL, RESUME):
        return changes.changeable(team)
    row = changes.endable(team)
    if (wish.kind == CANCEL) == (row.cancel_at is not None or row.cancel_asked):
        raise NothingToChange
    return row


def _ending(
    row: Subscription, wish: Wish, seats: tuple[SeatPlanned, ...], facts: SubscriptionFacts
) -> Preview:
    renewal = 0
    if wish.kind == RESUME:
        later = billed_later(seats, row.later_interval)
        renewal = stripe_api.preview_change(facts, prices_of(later), at=None).due_nanousd
    return Preview(
        text=text_of(wish, {}),
        at_once=False,
        amount_nanousd=renewal,
        lines=(),
        effective_at=facts.period_end,
        proration_at=None,
        renewal_nanousd=renewal if wish.kind == RESUME else None,
        renews_at=facts.period_end,
        effects=(),
    )


def _priced(
    row: Subscription,
    wish: Wish,
    facts: SubscriptionFacts,
    seats: tuple[SeatPlanned, ...],
    result: Outcome,
    moment: datetime,
) -> Preview:
    at_once = result.now != billed(seats, row.interval)
    if at_once:
        invoice = stripe_api.preview_change(facts, prices_of(result.now), at=moment)
    later = stripe_api.preview_change(facts, prices_of(result.later), at=None)
    renewed_anew = result.now.interval != row.interval
    plans = {plan.pk: plan for plan in Plan.objects.prefetch_related("limits")}
    return Preview(
        text=text_of(wish, plans),
        at_once=at_once,
        amount_nanousd=invoice.due_nanousd if at_once else later.due_nanousd,
        lines=invoice.lines if at_once else later.lines,
        effective_at=moment if at_once else facts.period_end,
        proration_at=moment if at_once else None,
        renewal_nanousd=later.due_nanousd,
        renews_at=_a_year_on(moment) if renewed_anew else facts.period_end,
        effects=effects_of(row.team, wish, seats, result, plans, moment),
    )


def _a_year_on(moment: datetime) -> datetime:
    day = 28 if (moment.month, moment.day) == (2, 29) else moment.day
    return moment.replace(year=moment.year + 1, day=day)


def _cancel_or_resume(plan: _Plan, wish: Wish, at: datetime, by: User) -> None:
    team, id = plan.row.team, plan.row.stripe_id
    if wish.kind == CANCEL:
        changes.ask_to_cancel(team=team, at=at, by=by)
        with suppress(StripeRefused):  # a look beside this one has planned something: the next one ends it
            look_at_subscription(id, at)
    else:
        changes.ask_to_resume(team=team, at=at, by=by)
        stripe_api.set_cancel_at_period_end(id, cancel=False)
    look_at_subscription(id, at)


def _plan_ahead(plan: _Plan, result: Outcome, at: datetime, by: User) -> None:
    changes.plan_ahead(
        team=plan.row.team,
        before=plan.before,
        after=result.seats,
        next_interval=result.next_interval,
        text=plan.preview.text,
        at=at,
        by=by,
    )
    look_at_subscription(plan.row.stripe_id, at)


def _at_once(plan: _Plan, result: Outcome, shown: Preview, at: datetime, by: User) -> Change:
    target = prices_of(result.now)
    change = changes.open_change(
        team=plan.row.team,
        before=plan.before,
        text=shown.text,
        target=target,
        moves=result.moves,
        amount_nanousd=shown.amount_nanousd,
        proration_at=shown.effective_at,
        at=at,
        by=by,
    )
    try:
        if plan.facts.schedule:
            stripe_api.forget_period_end(plan.facts.schedule)
        stripe_api.change_subscription(plan.facts, target, request=change.pk, at=shown.effective_at)
    except (PaymentDeclined, StripeRefused, StripeMissing) as refusal:
        changes.refuse_change(change=change, reason=refusal.detail, at=at)
        look_at_subscription(plan.row.stripe_id, at)
        raise
    look_at_subscription(plan.row.stripe_id, at)
    change.refresh_from_db()
    return change


def drop_change(*, change: Change, at: datetime) -> Change:
    """Gives up a change that waits for its payment: its invoice is voided, nothing is charged. One that was
    paid in this moment is done."""
    if change.invoice_id and change.closed_at is None:
        with suppress(StripeRefused):  # paid, or void already: the look says which
            stripe_api.void_invoice(change.invoice_id)
    return settle_change(change=change, at=at)


def settle_change(*, change: Change, at: datetime) -> Change:
    """Looks what became of a change. One that was sent a while ago and is not seen at Stripe was not done;
    it is never sent again.
    """
    look_at_subscription(change.subscription.stripe_id, at)
    change.refresh_from_db()
    if change.state == Change.State.OPEN and change.created_at + SENT_FOR <= at:
        changes.refuse_change(change=change, reason="The payment service did not get it.", at=at)
        look_at_subscription(change.subscription.stripe_id, at)
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
