"""Makes our rows agree with a subscription as Stripe has it, and tells `quota` what its seats may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.formats import date_format

from billing.allotment import LEAVES, Allotment, SeatToAllot, allot
from billing.errors import AlreadySubscribed, PriceUnknown
from billing.facts import ItemFacts, SubscriptionFacts
from billing.models import Price, PurchasedSeat, Subscription, SubscriptionItem
from billing.services.changes import settle_change
from billing.services.telling import moment_words, tell_owner
from quota.models import Entitlement
from quota.services import entitlements
from teams.models import Membership, Role, Seat, SeatHolding, Team
from teams.services import seats
from teams.services.audit import Details, record
from teams.services.locks import lock_kept_team, lock_team
from tokenplan.kit.transactions import one_transaction

# Seats work so long after a payment failed (product.md, Plans and seats).
GRACE = timedelta(days=7)
# A renewal is heard of within this, by the webhook or by the nightly reconcile; seats do not stop in between.
RENEWAL_SLACK = timedelta(days=1)

Status = Subscription.Status
# In these a period was begun, so its seats exist; whether they work is another question.
HAS_SEATS = {Status.TRIALING, Status.ACTIVE, Status.PAST_DUE, Status.UNPAID, Status.PAUSED}
ENDED = {Status.CANCELED, Status.INCOMPLETE_EXPIRED}
OWES = Subscription.OWES


@dataclass(slots=True)
class _Work:
    """One run: what it is about, and what it changed, a line each. `owed`: payment was overdue before it."""

    team: Team
    row: Subscription
    at: datetime
    owed: bool = False
    changed: list[str] = field(default_factory=list)


@one_transaction()
def apply_subscription(
    *, team: Team, facts: SubscriptionFacts, overdue_since: datetime | None, ticket: int, at: datetime
) -> list[str]:
    """Our rows say what Stripe said to the look with this ticket; a look older than the one shown is dropped.

    `overdue_since` is when the oldest unpaid invoice was first to be paid. Seats follow the items, by
    `allotment`; each is entitled to its plan for (item, period), until the period's end. A Default Team's
    seat is its Owner's at once. While payment is overdue seats work for GRACE, then they are suspended until
    paid. Before its first invoice is paid a subscription has no seats. Usage is never reset. Returns what
    changed, a line each: nothing, the second time. Raises PriceUnknown, NotFound for a Team that was
    deleted, unless the subscription has ended too; AlreadySubscribed for a second one that has not ended.
    """
    over = facts.status in ENDED or facts.ended_at is not None
    team = lock_kept_team(team) if over else lock_team(team)
    prices = _prices(facts)
    row = Subscription.objects.filter(stripe_id=facts.id).first()
    if row is not None and row.fetch >= ticket:
        return []
    row = row or Subscription(team=team, stripe_id=facts.id)
    work = _Work(team, row, at, owed=row.status in OWES)
    _write(work, facts, overdue_since, ticket)
    # An operator may have withdrawn a seat; what is paid for is then made anew.
    row.seats.live().filter(seat__removed_at__isnull=False).update(ended_at=at)
    _write_items(work.row, facts, prices)
    items = {prices[item.price].plan_id: item for item in facts.items}
    begun = not over and facts.status in HAS_SEATS and not facts.awaits_first_payment
    paid = {plan_id: item.quantity for plan_id, item in items.items() if plan_id and begun}
    _share_out(work, allot(_seats_to_allot(work.row), paid))
    work.changed += settle_change(subscription=work.row, facts=facts, at=at)
    _entitle(work, items, overdue_since)
    return work.changed


def _prices(facts: SubscriptionFacts) -> dict[str, Price]:
    """By Stripe's id. Raises PriceUnknown for one that is not a plan's price of ours."""
    wanted = {item.price for item in facts.items}
    found = Price.objects.filter(stripe_id__in=wanted).exclude(plan=None)
    prices = {price.stripe_id or "": price for price in found}
    for missing in sorted(wanted - set(prices)):
        raise PriceUnknown(f"The subscription {facts.id} bills {missing}, which is no price of ours.")
    return prices


def _write(work: _Work, facts: SubscriptionFacts, overdue_since: datetime | None, ticket: int) -> None:
    """The subscription's row as Stripe has it."""
    row, at = work.row, work.at
    before, overdue_before = (row.status, row.cancel_at, row.period_start), row.past_due_since
    row.status = facts.status
    row.interval = facts.interval
    row.period_start = facts.period_start
    row.period_end = facts.period_end
    row.cancel_at = facts.cancel_at
    row.ended_at = facts.ended_at or (row.ended_at or at if facts.status in ENDED else None)
    row.past_due_since = overdue_since if facts.status in OWES else None
    row.created_at = facts.created_at
    row.schedule_id = facts.schedule
    if row.next_interval == facts.interval:
        row.next_interval = ""
    if row.cancel_at is not None or row.ended_at is not None:
        row.cancel_asked = False
    row.fetch = ticket
    if row._state.adding and row.ended_at is None:
        for other in Subscription.objects.for_team(row.team).live():
            raise AlreadySubscribed(
                f"{row.team} has {other} already, and {row} besides; one of them must end."
            )
    row.save()
    _tell(row, before[0], overdue_before, at)
    if before == (row.status, row.cancel_at, row.period_start):
        return
    details: Details = {
        "status": row.status,
        "until": date_format(row.period_end, "Y-m-d H:i"),
        "renews": row.cancel_at is None and row.ended_at is None,
    }
    record(
        team=row.team, by=None, action="subscription.changed", subject=row.stripe_id, details=details, at=at
    )
    work.changed.append(f"subscription {row.stripe_id}: {row.get_status_display()}")


def _tell(row: Subscription, status_before: str, overdue_before: datetime | None, at: datetime) -> None:
    """What the Owner should know of the seats that are paid for, or not any more."""
    team, since = row.team, row.past_due_since
    if since not in (None, overdue_before):
        key = f"payment_failed:{row.stripe_id}:{since.isoformat()}"
        tell_owner(team=team, kind="payment_failed", key=key, at=at, works_until=moment_words(since + GRACE))
    elif overdue_before and row.status in (Status.ACTIVE, Status.TRIALING):
        key = f"payment_recovered:{row.stripe_id}:{overdue_before.isoformat()}"
        tell_owner(team=team, kind="payment_recovered", key=key, at=at)
    if row.ended_at is not None and status_before in HAS_SEATS:
        key, unpaid = f"subscription_ended:{row.stripe_id}", "yes" if overdue_before else ""
        tell_owner(team=team, kind="subscription_ended", key=key, at=at, unpaid=unpaid)


def _write_items(row: Subscription, facts: SubscriptionFacts, prices: dict[str, Price]) -> None:
    """Where one differs all are made anew: two may have exchanged their prices, and changed one by one they
    would have the same price for a moment, which the database refuses.
    """
    said = [
        SubscriptionItem(
            subscription=row,
            stripe_id=item.id,
            price=prices[item.price],
            quantity=item.quantity,
            period_start=item.period_start,
            period_end=item.period_end,
        )
        for item in facts.items
    ]
    if {_told(item) for item in said} != {_told(item) for item in row.items.all()}:
        row.items.all().delete()
        SubscriptionItem.objects.bulk_create(said)


def _told(item: SubscriptionItem) -> tuple[object, ...]:
    return item.stripe_id, item.price_id, item.quantity, item.period_start, item.period_end


def _seats_to_allot(row: Subscription) -> list[SeatToAllot]:
    """The seats with what the Owner wishes for each."""
    bought = row.seats.live()
    held = set(
        SeatHolding.objects.current().filter(seat__purchase__in=bought).values_list("seat_id", flat=True)
    )
    change = row.changes.unfinished().first()
    moves = {int(seat): int(plan) for seat, plan in change.moves.items()} if change else {}
    return [
        SeatToAllot(
            id=seat.seat_id,
            plan=seat.plan_id,
            wish=moves.get(seat.seat_id, LEAVES if seat.leaves else seat.next_plan_id),
            held=seat.seat_id in held,
            at_once=seat.seat_id in moves,
        )
        for seat in bought
    ]


def _share_out(work: _Work, allotment: Allotment) -> None:
    """Seats are taken away, moved to another plan, and added."""
    row, at = work.row, work.at
    bought = {seat.seat_id: seat for seat in row.seats.live().select_related("seat")}
    for seat_id in allotment.gone:
        entitlements.withdraw_seat(seat=bought[seat_id].seat, at=at, by=None)
        bought[seat_id].ended_at = at
        bought[seat_id].save(update_fields=["ended_at"])
        work.changed.append(f"seat {seat_id} is given up")
    for seat_id, plan_id in sorted(allotment.plans.items()):
        seat = bought[seat_id]
        if seat.plan_id != plan_id:
            seat.plan_id, seat.next_plan, seat.leaves = plan_id, None, False
            seat.save(update_fields=["plan", "next_plan", "leaves"])
    new = seats.add_seats(team=work.team, count=len(allotment.new), by=None, at=at) if allotment.new else []
    PurchasedSeat.objects.bulk_create(
        PurchasedSeat(seat=seat, team=work.team, subscription=row, plan_id=plan_id)
        for seat, plan_id in zip(new, allotment.new, strict=True)
    )
    for added in new:
        work.changed.append(f"seat {added.pk} is added")
        if work.team.is_default:
            _give_to_owner(work, added)


def _give_to_owner(work: _Work, seat: Seat) -> None:
    """A Default Team has one member: what is bought there is for nobody else."""
    owner = Membership.objects.for_team(work.team).live().get(role=Role.OWNER)
    if not owner.holdings.current().exists():
        seats.assign_seat(seat=seat, membership=owner, by=None, at=work.at)


def _entitled(row: Subscription) -> dict[int, Entitlement]:
    """What its seats may use now, by seat."""
    open_ones = Entitlement.objects.open().filter(seat__in=row.seats.live().values("seat"))
    return {entitlement.seat_id: entitlement for entitlement in open_ones}


def _entitle(work: _Work, items: Mapping[int | None, ItemFacts], overdue_since: datetime | None) -> None:
    """Each seat may use its plan for its item's period; it is suspended, or resumed, as payment is."""
    at, before = work.at, _entitled(work.row)
    bought = work.row.seats.live().select_related("seat").prefetch_related("plan__limits")
    terms = [
        term
        for row in bought.order_by("seat_id")
        if (term := _term(work, row, items[row.plan_id], before.get(row.seat_id))) is not None
    ]
    after = before | (entitlements.entitle_seats(terms=terms, at=at, by=None) if terms else {})
    for term in terms:
        until = f"{items[term.plan.pk].period_end:%Y-%m-%d %H:%M}"
        work.changed.append(f"seat {term.seat.pk} may use {term.plan} until {until}")
        old = before.get(term.seat.pk)
        if old is not None and old.suspended_at is not None and not work.owed:
            # An operator stopped the seat, for a reason that a new period does not remove.
            after[term.seat.pk] = entitlements.suspend_seat(
                seat=term.seat, since=old.suspended_at, at=at, by=None
            )
    for row in bought:
        if row.seat_id in after:
            _stop_or_resume(work, row.seat, after[row.seat_id], overdue_since)


def _term(
    work: _Work, bought: PurchasedSeat, item: ItemFacts, before: Entitlement | None
) -> entitlements.Term | None:
    """What the seat is to be told; None where it has been told, or it would be over already."""
    row = work.row
    renews = row.cancel_at is None or row.cancel_at > item.period_end
    ends_at = item.period_end + (RENEWAL_SLACK if renews else timedelta(0))
    source = f"{item.id}:{int(item.period_start.timestamp())}"
    starts_at = _starts_at(before, bought.plan_id, source, item.period_start, work.at)
    renews_at = item.period_end if renews else None
    term = entitlements.Term(bought.seat, bought.plan, starts_at, ends_at, renews_at, source)
    return None if term.is_recorded_by(before) or ends_at <= starts_at else term


def _stop_or_resume(work: _Work, seat: Seat, now: Entitlement, overdue_since: datetime | None) -> None:
    """`now` is what the seat may use."""
    stops = _stops_at(work.row, overdue_since, work.at)
    if stops is not None:
        if now.suspended_at != stops and not now.is_suspended(work.at):
            entitlements.suspend_seat(seat=seat, since=stops, at=work.at, by=None)
            work.changed.append(f"seat {seat.pk} stops at {stops:%Y-%m-%d %H:%M} unless it is paid")
    elif now.suspended_at is not None and work.owed:
        entitlements.resume_seat(seat=seat, at=work.at, by=None)
        work.changed.append(f"seat {seat.pk} works again")


def _stops_at(row: Subscription, overdue_since: datetime | None, at: datetime) -> datetime | None:
    """When the seats stop, unless it is paid; None while nothing is owed."""
    if row.status not in OWES:
        return None
    if overdue_since is not None:
        return overdue_since + GRACE
    # Past due without an unpaid invoice: it was paid a moment ago, and the next look says so.
    return None if row.status == Status.PAST_DUE else at


def _starts_at(
    before: Entitlement | None, plan_id: int, source: str, period_start: datetime, at: datetime
) -> datetime:
    """A new period of the same plan begins when it began at Stripe; all else begins now. Periods of a seat
    never overlap."""
    if before is None:
        return at
    renewed = before.plan_id == plan_id and before.source != source
    return max(period_start if renewed else at, before.starts_at)
