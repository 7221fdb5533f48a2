"""What a seat may use and until when, whether an operator gave it or a payment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from quota.errors import PlanNotSellable, SeatNotEntitled
from quota.hot_path.buckets import build_buckets
from quota.models import Entitlement, Plan
from quota.selectors.asked_of_one_team import is_used
from quota.windows import Rule
from teams.models import Seat, Team, User
from teams.services import seats
from teams.services.audit import Details, because, record, record_all
from teams.services.locks import lock_seat, lock_seats
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction


@dataclass(frozen=True, slots=True)
class Term:
    """What a seat may use from when until when, and because of what; `renews_at` is for people."""

    seat: Seat
    plan: Plan
    starts_at: datetime
    ends_at: datetime | None
    renews_at: datetime | None
    source: str

    @property
    def until(self) -> datetime | None:
        """The end as people read it; None: until further notice."""
        return self.renews_at or self.ends_at

    def is_recorded_by(self, row: Entitlement | None) -> bool:
        """Whether the row says all of this already."""
        recorded = row and (row.source, row.plan_id, row.ends_at, row.renews_at)
        return recorded == (self.source, self.plan.pk, self.ends_at, self.renews_at)


@one_transaction()
def grant_seat(
    *,
    team: Team,
    plan: Plan,
    ends_at: datetime | None,
    source: str,
    reason: str = "",
    at: datetime,
    by: User | None,
) -> Seat:
    """A new seat of the Team that may use `plan` from now until `ends_at` (None: until further notice).
    `reason` goes into the audit: why an operator gives it.

    Raises PlanNotSellable, InvalidValue.
    """
    if not Plan.objects.sellable().filter(pk=plan.pk).exists():
        raise PlanNotSellable(_("%(plan)s is no longer offered.") % {"plan": plan})
    seat = seats.add_seat(team=team, by=by, at=at)
    term = Term(seat, plan, at, ends_at, None, source)
    entitle_seats(terms=[term], reason=reason, at=at, by=by)
    return seat


@one_transaction()
def entitle_seat(
    *,
    seat: Seat,
    plan: Plan,
    starts_at: datetime,
    ends_at: datetime | None,
    renews_at: datetime | None = None,
    source: str,
    at: datetime,
    by: User | None,
) -> Entitlement:
    """From `starts_at` the seat may use `plan`, until `ends_at`; it replaces what the seat was entitled to.
    `renews_at` is for people: when the period ends and the next is to begin.

    Usage is never reset: it hangs on the seat, and a window rule that is new to the seat is summed up from
    its events of the last window's length (docs/decisions/0093). The same source again changes nothing.
    Raises InvalidValue.
    """
    term = Term(seat, plan, starts_at, ends_at, renews_at, source)
    return entitle_seats(terms=[term], at=at, by=by)[seat.pk]


@one_transaction()
def entitle_seats(
    *, terms: Sequence[Term], reason: str = "", at: datetime, by: User | None
) -> dict[int, Entitlement]:
    """As `entitle_seat`, for one or more seats of one Team; the entitlement of each, by the seat's id.

    It takes few statements, because calls of these seats wait for their locks meanwhile. A term begins no
    earlier than the one that it replaces. `reason` goes into the audit: why an operator does it. Raises
    InvalidValue.
    """
    locked = lock_seats(term.seat for term in terms)
    open_ones = {
        row.seat_id: row for row in Entitlement.objects.open().filter(seat__in=locked).select_related("plan")
    }
    due = [
        replace(term, starts_at=max(term.starts_at, before.starts_at) if before else term.starts_at)
        for term in terms
        for before in [open_ones.get(term.seat.pk)]
        if not term.is_recorded_by(before)
    ]
    if any(term.ends_at is not None and term.ends_at <= term.starts_at for term in due):
        raise InvalidValue(_("It must end after it begins."), pointer="/ends_at")
    replaced = []
    for term in due:
        if (before := open_ones.get(term.seat.pk)) is not None:
            before.superseded_at = term.starts_at
            replaced.append(before)
    new_rules = _new_rules(due)
    Entitlement.objects.bulk_update(replaced, ["superseded_at"])
    made = Entitlement.objects.bulk_create(
        Entitlement(
            team_id=locked[term.seat.pk].team_id,
            seat=locked[term.seat.pk],
            plan=term.plan,
            starts_at=term.starts_at,
            ends_at=term.ends_at,
            renews_at=term.renews_at,
            source=term.source,
            created_at=at,
        )
        for term in due
    )
    for seat_id, rule, begins_at in new_rules:
        build_buckets(seat=locked[seat_id], rule=rule, begins_at=begins_at)
    subjects: dict[str, Details] = {
        str(term.seat): {
            "seat": term.seat.pk,
            "plan": str(term.plan),
            "before": str(open_ones[term.seat.pk].plan) if term.seat.pk in open_ones else None,
            "until": date_format(term.until, "Y-m-d H:i") if term.ends_at and term.until else None,
            "source": term.source,
            **because(reason),
        }
        for term in due
    }
    team = locked[terms[0].seat.pk].team
    record_all(team=team, by=by, action="seat.entitled", subjects=subjects, at=at)
    return open_ones | {row.seat_id: row for row in made}


def _new_rules(terms: Sequence[Term]) -> list[tuple[int, Rule, datetime]]:
    """Window rules that are new to a seat which has been used already, by its id, and when they begin."""
    of_terms = Seat.objects.filter(pk__in=[term.seat.pk for term in terms])
    used = set(of_terms.filter(is_used("pk")).values_list("pk", flat=True))
    known = set(
        Entitlement.objects.filter(seat__in=used).values_list("seat_id", "plan__limits__rule_key").distinct()
    )
    return [
        (term.seat.pk, limit.rule, term.starts_at)
        for term in terms
        if term.seat.pk in used
        for limit in term.plan.limits.all()
        if (term.seat.pk, limit.rule_key) not in known
    ]


@one_transaction()
def suspend_seat(
    *, seat: Seat, since: datetime | None = None, reason: str = "", at: datetime, by: User | None
) -> Entitlement:
    """The seat stops working at `since` (now, if left out) until it is resumed; its usage falls to Credits.

    A `since` in the future takes effect by itself: each call compares it with the moment of the call.
    Raises SeatNotEntitled.
    """
    return _set_suspended(seat, since or at, "seat.suspended", reason, at, by)


@one_transaction()
def resume_seat(*, seat: Seat, reason: str = "", at: datetime, by: User | None) -> Entitlement:
    """The seat works again, with the usage it has. What is reported later of the time of its suspension is
    judged by that, as it would have been before (docs/decisions/0030). Raises SeatNotEntitled.
    """
    return _set_suspended(seat, None, "seat.resumed", reason, at, by)


def _set_suspended(
    seat: Seat, suspended_at: datetime | None, action: str, reason: str, at: datetime, by: User | None
) -> Entitlement:
    seat = lock_seat(seat)
    entitlement = Entitlement.objects.open().filter(seat=seat).first()
    if entitlement is None:
        raise SeatNotEntitled
    both = entitlement.suspended_at is not None and suspended_at is not None
    # A suspension that has begun keeps its moment; one that is still to come may get another.
    settled = both and entitlement.is_suspended(at)
    if entitlement.suspended_at != suspended_at and not settled:
        if suspended_at is None and entitlement.is_suspended(at):
            entitlement = _after_suspension(entitlement, at)
        entitlement.suspended_at = suspended_at
        entitlement.save()
        details: Details = {
            "seat": seat.pk,
            "from": date_format(suspended_at, "Y-m-d H:i") if suspended_at else None,
            **because(reason),
        }
        record(team=seat.team, by=by, action=action, subject=seat.logged_name, details=details, at=at)
    return entitlement


def _after_suspension(suspended: Entitlement, at: datetime) -> Entitlement:
    """The same from now on, not saved yet: the row until now keeps since when it was suspended. Of one that
    is over already nothing is left, so its own row is changed.
    """
    begins = max(at, suspended.starts_at)
    if suspended.ends_at is not None and suspended.ends_at <= begins:
        return suspended
    suspended.superseded_at = begins
    suspended.save(update_fields=["superseded_at"])
    return Entitlement(
        team_id=suspended.team_id,
        seat_id=suspended.seat_id,
        plan_id=suspended.plan_id,
        starts_at=begins,
        ends_at=suspended.ends_at,
        renews_at=suspended.renews_at,
        source=suspended.source,
        created_at=at,
    )


@one_transaction()
def withdraw_seat(*, seat: Seat, reason: str = "", at: datetime, by: User | None) -> Seat:
    """The seat is given up now: its entitlement ends, and its holder, if any, is without a seat."""
    seat = lock_seat(seat)
    Entitlement.objects.open().filter(seat=seat).update(superseded_at=at)
    return seats.remove_seat(seat=seat, reason=reason, by=by, at=at)
