"""What a change of the subscription would cost and do, with its exact money. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from billing import stripe_api
from billing.change_requests import (
    AddSeats,
    BillChange,
    ChangeRequest,
    GiveUpSeats,
    KeepSeats,
    MoveSeats,
    SwitchInterval,
    Terms,
)
from billing.errors import AddressNeeded, CardNeeded, ChangeInProgress, NotOnSale
from billing.models import Interval, Subscription
from billing.money import due_nanousd
from billing.selectors.change_effects import Effect, effects_of
from billing.selectors.prices import cost_of_seats, prices_of
from billing.services.changes import changeable, planned_seats
from billing.stripe_api.invoice_snapshots import LineSnapshot
from billing.stripe_api.snapshots import SubscriptionSnapshot
from billing.sync.schedule import too_late
from billing.sync.subscriptions import agreed_subscription
from quota.models import Plan
from teams.models import Seat, Team
from tokenplan.kit.errors import InvalidValue

NAMED_SEATS = 5
# A seat that is added or moved up is billed for so long at least (docs/rules.md, Buying and changing).
LEAST_BILLED = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change does. `amount_nanousd` is what confirming sends back: charged now where it acts `at_once`
    (as shown at `proration_at`), else the next regular invoice. `renewal_nanousd`: the regular invoice
    afterwards, at `renews_at`; None where none will come.

    The proration is counted from `billed_from`: a seat that is added or moved up is billed for
    LEAST_BILLED. `carried_nanousd`: too small for the card, so it is added to the next invoice.
    `ends_discount`: a discount for some months is left behind, since a year begins.
    """

    text: str
    at_once: bool
    amount_nanousd: int
    lines: tuple[LineSnapshot, ...]
    effective_at: datetime
    proration_at: datetime | None
    renewal_nanousd: int | None
    renews_at: datetime
    effects: tuple[Effect, ...]
    billed_from: datetime | None = None
    carried_nanousd: int = 0
    ends_discount: bool = False

    @property
    def is_billed_longer(self) -> bool:
        """Is more than the rest of the period billed?"""
        return None not in (self.billed_from, self.proration_at) and self.billed_from != self.proration_at

    @property
    def rest_nanousd(self) -> int:
        """What the amount is beyond the lines: discounts, tax, and the Team's balance."""
        lines = sum(line.amount_nanousd for line in self.lines)
        return self.amount_nanousd + self.carried_nanousd - lines


@dataclass(frozen=True, slots=True)
class PricedChange:
    """A request, what it means for the bill, and what it costs. `row` and `snapshot` are the subscription
    before it. `stored_text` is the preview's text in the default language, for rows and the audit log.
    """

    request: ChangeRequest
    row: Subscription
    snapshot: SubscriptionSnapshot
    change: BillChange
    preview: Preview
    stored_text: str


def preview_change(*, team: Team, request: ChangeRequest, at: datetime) -> Preview:
    """Raises what `changeable` and `ChangeRequest.bill_change` do, NotOnSale, and what Stripe says."""
    return price_change(team=team, request=request, moment=at.replace(microsecond=0), at=at).preview


def price_change(*, team: Team, request: ChangeRequest, moment: datetime, at: datetime) -> PricedChange:
    """What the request does and costs at `moment`, from which the proration is counted; `at` is now. Raises
    what `preview_change` does.
    """
    if isinstance(request, AddSeats) and team.is_default:
        refused = _("Your Default Team has one seat; create a Team for more people")
        raise InvalidValue(refused, pointer="/seats")
    if isinstance(request, (AddSeats, MoveSeats)) and not _is_sold(request.plan_id):
        raise NotOnSale
    row, snapshot = agreed_subscription(lambda: changeable(team), at)
    terms = Terms(planned_seats(row), row.interval, row.next_interval, cost_of_seats(row.interval))
    change = request.bill_change(terms)
    if change.at_once:
        _refuse_what_cannot_be_paid(change, snapshot, at)
    # A preview from before this period began says nothing about this period.
    moment = moment if moment >= snapshot.period_start else at.replace(microsecond=0)
    plans = {plan.pk: plan for plan in Plan.objects.prefetch_related("limits")}
    numbers = Seat.objects.for_team(row.team).numbers(seat.id for seat in terms.seats)
    kept = stripe_api.kept_discounts(snapshot, change.now.interval)
    later = stripe_api.preview_change(snapshot, prices_of(change.later), at=None, discounts=kept)
    invoice = later
    billed_from, carried, renewal = None, 0, later.due_nanousd
    if change.at_once:
        billed_from = _billed_from(request, snapshot, moment)
        invoice = stripe_api.preview_change(snapshot, prices_of(change.now), at=billed_from, discounts=kept)
        if invoice.needs_address:
            raise AddressNeeded
        balance = invoice.balance_after_nanousd
        carried, renewal = max(0, balance), due_nanousd(later.total_nanousd, balance)
    a_year_begins = change.now.interval != row.interval
    preview = Preview(
        text=text_of(request, plans, numbers),
        at_once=change.at_once,
        amount_nanousd=invoice.due_nanousd,
        lines=invoice.lines,
        effective_at=moment if change.at_once else snapshot.period_end,
        proration_at=moment if change.at_once else None,
        renewal_nanousd=renewal,
        renews_at=_a_year_on(moment) if a_year_begins else snapshot.period_end,
        effects=effects_of(row.team, change, plans=plans, at=moment),
        billed_from=billed_from,
        carried_nanousd=carried,
        ends_discount=kept is not None,
    )
    with override(settings.LANGUAGE_CODE):
        stored_text = text_of(request, plans, numbers)
    return PricedChange(request, row, snapshot, change, preview, stored_text)


def _refuse_what_cannot_be_paid(change: BillChange, snapshot: SubscriptionSnapshot, at: datetime) -> None:
    """Raises ChangeInProgress where the period's end is too near, and CardNeeded where what is charged does
    not pay at once: no change waits for a bank debit at Stripe.
    """
    if too_late(change, snapshot, at):
        raise ChangeInProgress(
            _(
                "The period ends within the hour, and something is planned for then; ask again when the new"
                " period has begun."
            )
        )
    method = snapshot.charged_method
    if method is not None and not method.pays_at_once:
        slow = _(
            "%(method)s cannot pay a change, since that takes days. Add a card under Cards and invoices."
        )
        raise CardNeeded(slow % {"method": method.text})


def _billed_from(request: ChangeRequest, snapshot: SubscriptionSnapshot, moment: datetime) -> datetime:
    """A seat that is added or moved up has whole windows at once, however little of the period is left."""
    if isinstance(request, SwitchInterval):
        return moment
    return max(snapshot.period_start, min(moment, snapshot.period_end - LEAST_BILLED))


def _is_sold(plan_id: int) -> bool:
    return Plan.objects.sellable().filter(pk=plan_id).exists()


def text_of(request: ChangeRequest, plans: Mapping[int, Plan], numbers: Mapping[int, int]) -> str:
    """What the request is called on pages, in the active language. For people only: of many seats it names
    the first few. `plans` and the `numbers` of seats by id.
    """
    match request:
        case AddSeats(plan_id, count):
            text = ngettext("Add %(count)s seat of %(plan)s", "Add %(count)s seats of %(plan)s", count)
            return text % {"count": count, "plan": plans[plan_id].name}
        case MoveSeats(plan_id, seat_ids):
            count, plan = len(seat_ids), plans[plan_id].name
            text = ngettext("Move seat %(seats)s to %(plan)s", "Move seats %(seats)s to %(plan)s", count)
            return text % {"seats": _seats_text([numbers[seat_id] for seat_id in seat_ids]), "plan": plan}
        case GiveUpSeats(seat_ids):
            text = ngettext(
                "Give up seat %(seats)s at the period's end",
                "Give up seats %(seats)s at the period's end",
                len(seat_ids),
            )
            return text % {"seats": _seats_text([numbers[seat_id] for seat_id in seat_ids])}
        case KeepSeats(seat_ids):
            text = ngettext("Keep seat %(seats)s as now", "Keep seats %(seats)s as now", len(seat_ids))
            return text % {"seats": _seats_text([numbers[seat_id] for seat_id in seat_ids])}
        case SwitchInterval(interval):
            return _("Pay by the year") if interval == Interval.YEAR else _("Pay by the month")
        case _:
            raise TypeError(f"{request!r} has no text")


def _seats_text(numbers: Sequence[int]) -> str:
    """`3, 4, 5, 6, 7 and 2 more`."""
    few = ", ".join(map(str, numbers[:NAMED_SEATS]))
    more = len(numbers) - NAMED_SEATS
    return _("%(seats)s and %(count)s more") % {"seats": few, "count": more} if more > 0 else few


def _a_year_on(moment: datetime) -> datetime:
    day = 28 if (moment.month, moment.day) == (2, 29) else moment.day
    return moment.replace(year=moment.year + 1, day=day)
