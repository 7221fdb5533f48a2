"""The seats that a subscription pays for: which there are, which plan each has (`seat_plans`), and the
entitlements that `quota` keeps for them. Called inside the transaction that applies a subscription.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from billing.models import Change, PurchasedSeat, Subscription
from billing.seat_plans import LEAVES, SeatPlans, SeatToPlace, place_seats
from billing.services.changes import UNDONE
from billing.services.overdue import stops_at, suspend_or_resume_seat
from billing.stripe_api.snapshots import ItemSnapshot
from quota.models import Entitlement
from quota.services import entitlements
from teams.models import Membership, Role, Seat, SeatHolding
from teams.services import seats
from teams.services.locks import lock_membership

# A renewal is synced within this time, after its event or by the nightly reconcile; until then seats work.
RENEWAL_SLACK = timedelta(days=1)


def make_paid_seats(*, subscription: Subscription, paid: Mapping[int, int], at: datetime) -> list[str]:
    """Removes, moves and adds seats until they are those of `paid` (plan id to number of seats). The seat of
    a Default Team is given to its Owner at once. Returns what changed, a line each.
    """
    _lock_all(subscription)
    # An operator may have withdrawn a seat that is paid for; a new one then takes its place.
    subscription.seats.live().filter(seat__removed_at__isnull=False).update(ended_at=at)
    change = subscription.changes.unfinished().first()
    plans = place_seats(_seats_to_place(subscription, change), paid)
    is_undo = change is not None and change.request.get("kind") == UNDONE
    moved = _withdraw_and_move(subscription, plans, at, keeps_planned=is_undo)
    return moved + _add(subscription, plans, at)


def _lock_all(row: Subscription) -> None:
    """In the order of all locks, before one seat is taken away and the next is moved or assigned."""
    if row.team.is_default:
        lock_membership(_owner(row))
    wanted = row.seats.live().values("seat")
    list(Seat.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk"))


def _owner(row: Subscription) -> Membership:
    return Membership.objects.for_team(row.team).live().get(role=Role.OWNER)


def _seats_to_place(row: Subscription, change: Change | None) -> list[SeatToPlace]:
    """The seats, with what the Owner has asked for each."""
    bought = row.seats.live()
    held = set(
        SeatHolding.objects.current().filter(seat__purchase__in=bought).values_list("seat_id", flat=True)
    )
    moves = {int(seat_id): int(plan_id) for seat_id, plan_id in change.moves.items()} if change else {}
    return [
        SeatToPlace(
            id=seat.seat_id,
            plan_id=seat.plan_id,
            wanted_plan_id=moves.get(seat.seat_id, LEAVES if seat.leaves else seat.next_plan_id),
            held=seat.seat_id in held,
            at_once=seat.seat_id in moves,
        )
        for seat in bought
    ]


def _withdraw_and_move(
    row: Subscription, plans: SeatPlans, at: datetime, *, keeps_planned: bool
) -> list[str]:
    """`keeps_planned`: what is planned for a seat that moves stays, unless it has that plan now."""
    changed = []
    bought = {seat.seat_id: seat for seat in row.seats.live().select_related("seat")}
    for seat_id in sorted(plans.gone):
        entitlements.withdraw_seat(seat=bought[seat_id].seat, at=at, by=None)
        bought[seat_id].ended_at = at
        bought[seat_id].save(update_fields=["ended_at"])
        changed.append(f"seat {bought[seat_id].seat.number} is given up")
    for seat_id, plan_id in sorted(plans.plan_ids.items()):
        seat = bought[seat_id]
        if seat.plan_id != plan_id:
            seat.plan_id = plan_id
            if not keeps_planned or seat.next_plan_id == plan_id:
                seat.next_plan, seat.leaves = None, False
            seat.save(update_fields=["plan", "next_plan", "leaves"])
    return changed


def _add(row: Subscription, plans: SeatPlans, at: datetime) -> list[str]:
    if not plans.new:
        return []
    new = seats.add_seats(team=row.team, count=len(plans.new), by=None, at=at)
    PurchasedSeat.objects.bulk_create(
        PurchasedSeat(seat=seat, team=row.team, subscription=row, plan_id=plan_id)
        for seat, plan_id in zip(new, plans.new, strict=True)
    )
    if row.team.is_default:
        for seat in new:
            _give_to_owner(row, seat, at)
    return [f"seat {seat.number} is added" for seat in new]


def _give_to_owner(row: Subscription, seat: Seat, at: datetime) -> None:
    """A Default Team has one member: what is bought there is for nobody else."""
    owner = _owner(row)
    if not owner.holdings.current().exists():
        seats.assign_seat(seat=seat, membership=owner, by=None, at=at)


def entitle_paid_seats(
    *,
    subscription: Subscription,
    items: Mapping[int, ItemSnapshot],
    overdue_since: datetime | None,
    was_overdue: bool,
    at: datetime,
) -> list[str]:
    """Entitles each seat to its plan for the period of its item (`items` by plan id), and suspends or resumes
    it as payments are overdue or not. `was_overdue`: they were before this sync. Returns what changed, a
    line each.
    """
    changed = []
    before = _entitled(subscription)
    live = subscription.seats.live().order_by("seat_id")
    bought = live.select_related("seat").prefetch_related("plan__limits")
    terms = [
        term
        for row in bought
        if (term := _term(row, items[row.plan_id], before.get(row.seat_id), at)) is not None
    ]
    after = before | (entitlements.entitle_seats(terms=terms, at=at, by=None) if terms else {})
    for term in terms:
        until = f"{items[term.plan.pk].period_end:%Y-%m-%d %H:%M}"
        changed.append(f"seat {term.seat.number} may use {term.plan} until {until}")
        old = before.get(term.seat.pk)
        if old is not None and old.suspended_at is not None and not was_overdue:
            # An operator stopped the seat, for a reason that a new period does not remove.
            after[term.seat.pk] = entitlements.suspend_seat(
                seat=term.seat, since=old.suspended_at, at=at, by=None
            )
    stops = stops_at(subscription=subscription, overdue_since=overdue_since, at=at)
    for row in bought:
        if row.seat_id in after:
            changed += suspend_or_resume_seat(
                seat=row.seat, entitlement=after[row.seat_id], stops=stops, was_overdue=was_overdue, at=at
            )
    return changed


def _entitled(row: Subscription) -> dict[int, Entitlement]:
    """What its seats may use now, by seat id."""
    open_ones = Entitlement.objects.open().filter(seat__in=row.seats.live().values("seat"))
    return {entitlement.seat_id: entitlement for entitlement in open_ones}


def _term(
    bought: PurchasedSeat, item: ItemSnapshot, before: Entitlement | None, at: datetime
) -> entitlements.Term | None:
    """What the seat becomes entitled to; None if it is entitled to that already, or the period is over."""
    cancel_at = bought.subscription.cancel_at
    renews = cancel_at is None or cancel_at > item.period_end
    ends_at = item.period_end + (RENEWAL_SLACK if renews else timedelta(0))
    source = f"{item.id}:{int(item.period_start.timestamp())}"
    # A new period of the same plan begins when it began at Stripe; all else begins now.
    is_renewal = before is not None and before.plan_id == bought.plan_id and before.source != source
    starts_at = item.period_start if is_renewal else at
    if before is not None:
        starts_at = max(starts_at, before.starts_at)  # periods of a seat never overlap
    renews_at = item.period_end if renews else None
    term = entitlements.Term(bought.seat, bought.plan, starts_at, ends_at, renews_at, source)
    return None if term.is_recorded_by(before) or ends_at <= starts_at else term
