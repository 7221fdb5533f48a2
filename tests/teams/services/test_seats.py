"""Seats, and what happens when many want one.

The races run over real connections; controls show that without the locks they would be lost.
"""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from teams.errors import MemberHasSeat, SeatNotHeld, SeatTaken
from teams.models import AuditEntry, Mail, Membership, Seat, SeatHolding, Team
from teams.services import memberships, seats
from tests.helpers.people import NOON, everything, member, team
from tests.helpers.races import race
from tokenplan.kit.errors import NotFound

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


def a_seat(of: Membership) -> Seat:
    return seats.add_seat(team=of.team, by=None, at=NOON)


def test_a_seat_is_assigned_freed_and_assigned_again_with_its_history() -> None:
    owner = team()
    bob, eve = member(owner.team, "bob@example.com"), member(owner.team, "eve@example.com")
    seat = a_seat(owner)
    seats.assign_seat(seat=seat, membership=bob, by=owner.user, at=NOON)
    assert seat.holdings.current().exists()
    seats.free_seat(seat=seat, by=owner.user, at=LATER)
    assert not seat.holdings.current().exists()
    seats.assign_seat(seat=seat, membership=eve, by=owner.user, at=LATER)
    rows = SeatHolding.objects.order_by("pk").values_list("membership", "started_at", "ended_at")
    assert list(rows) == [(bob.pk, NOON, LATER), (eve.pk, LATER, None)]
    log = AuditEntry.objects.filter(action__startswith="seat.").order_by("pk")
    assert list(log.values_list("action", "subject")) == [
        ("seat.added", f"Seat {seat.number}"),
        ("seat.assigned", "bob@example.com"),
        ("seat.freed", "bob@example.com"),
        ("seat.assigned", "eve@example.com"),
    ]
    assert [mail.to for mail in Mail.objects.filter(kind="seat_assigned")] == ["eve@example.com"]


def test_a_seat_moves_straight_to_another_member() -> None:
    owner = team()
    bob, eve = member(owner.team, "bob@example.com"), member(owner.team, "eve@example.com")
    seat = a_seat(owner)
    seats.assign_seat(seat=seat, membership=bob, by=None, at=NOON)
    seats.move_seat(seat=seat, to=eve, by=owner.user, at=LATER)
    assert SeatHolding.objects.current().get().membership == eve
    assert SeatHolding.objects.at(NOON).get().membership == bob


def test_a_refused_move_leaves_the_seat_where_it_was() -> None:
    owner = team()
    bob, eve = member(owner.team, "bob@example.com"), member(owner.team, "eve@example.com")
    first, second, empty = a_seat(owner), a_seat(owner), a_seat(owner)
    seats.assign_seat(seat=first, membership=bob, by=None, at=NOON)
    seats.assign_seat(seat=second, membership=eve, by=None, at=NOON)
    before = everything()
    with pytest.raises(MemberHasSeat):
        seats.move_seat(seat=first, to=eve, by=None, at=LATER)
    with pytest.raises(SeatNotHeld):
        seats.move_seat(seat=empty, to=bob, by=None, at=LATER)
    assert everything() == before


def test_what_cannot_be_assigned_is_refused_and_changes_nothing() -> None:
    owner, stranger = team(), team("Globex")
    bob, eve = member(owner.team, "bob@example.com"), member(owner.team, "eve@example.com")
    gone = member(owner.team, "gone@example.com")
    memberships.end_membership(membership=gone, by=None, at=NOON)
    seat, other, removed = a_seat(owner), a_seat(owner), a_seat(owner)
    seats.remove_seat(seat=removed, by=None, at=NOON)
    seats.assign_seat(seat=seat, membership=bob, by=None, at=NOON)
    before = everything()
    for which, whom, refusal in (
        (seat, eve, SeatTaken),
        (seat, bob, MemberHasSeat),
        (other, bob, MemberHasSeat),
        (other, gone, NotFound),
        (other, stranger, NotFound),
        (removed, eve, NotFound),
    ):
        with pytest.raises(refusal):
            seats.assign_seat(seat=which, membership=whom, by=None, at=LATER)
    with pytest.raises(SeatNotHeld):
        seats.free_seat(seat=other, by=None, at=LATER)
    with pytest.raises(NotFound):
        seats.remove_seat(seat=removed, by=None, at=LATER)
    assert everything() == before


def test_a_seat_that_is_removed_is_taken_from_its_holder() -> None:
    owner = team()
    seat = a_seat(owner)
    holding = seats.assign_seat(seat=seat, membership=owner, by=None, at=NOON)
    assert seats.remove_seat(seat=seat, by=None, at=LATER).removed_at == LATER
    holding.refresh_from_db()
    assert holding.ended_at == LATER
    assert not Seat.objects.live().exists()


def test_a_member_who_leaves_takes_no_seat_from_the_next_holder() -> None:
    owner = team()
    bob, eve = member(owner.team, "bob@example.com"), member(owner.team, "eve@example.com")
    seat = a_seat(owner)
    seats.assign_seat(seat=seat, membership=eve, by=None, at=NOON)
    seats.end_holding(seat=seat, held_by=bob, by=None, at=LATER)
    assert SeatHolding.objects.current().get().membership == eve


def test_the_database_keeps_a_seat_in_its_team() -> None:
    owner, stranger = team(), team("Globex")
    seat = a_seat(owner)
    for team_id, whom, constraint in (
        (owner.team_id, stranger, "a_seat_is_held_by_a_member_of_its_team"),
        (stranger.team_id, stranger, "a_seat_is_held_in_its_own_team"),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            SeatHolding.objects.create(team_id=team_id, seat=seat, membership=whom, started_at=NOON)
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db(transaction=True)
def test_control_checking_without_a_lock_hands_one_seat_out_many_times() -> None:
    owner = team()
    members = [member(owner.team, f"m{number}@example.com") for number in range(8)]
    seat = a_seat(owner)
    checked = threading.Barrier(len(members))

    def naive(whom: Membership) -> bool:
        free = not seat.holdings.current().exists()
        checked.wait()
        if free:
            SeatHolding.objects.create(team=owner.team, seat=seat, membership=whom, started_at=NOON)
        return free

    outcomes = race(*[lambda whom=whom: naive(whom) for whom in members])
    # Everyone found it free. Only the constraint, the last word, kept seven of them out.
    assert [outcome for outcome in outcomes if not isinstance(outcome, Exception)] == [True]
    refused = [str(outcome) for outcome in outcomes if isinstance(outcome, IntegrityError)]
    assert len(refused) == 7
    assert all("a_seat_is_held_by_at_most_one_member" in message for message in refused)


@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_want_one_seat_one_gets_it() -> None:
    owner = team()
    members = [member(owner.team, f"m{number}@example.com") for number in range(20)]
    seat = a_seat(owner)

    def take(whom: Membership) -> int:
        return seats.assign_seat(seat=seat, membership=whom, by=None, at=NOON).membership_id

    outcomes = race(*[lambda whom=whom: take(whom) for whom in members])
    winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert winners == [SeatHolding.objects.get().membership_id]
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [SeatTaken] * 19
    assert AuditEntry.objects.filter(action="seat.assigned").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_ten_seats_offered_to_one_member_at_once_one_is_held() -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    ten = [a_seat(owner) for _ in range(10)]

    def take(seat: Seat) -> int:
        return seats.assign_seat(seat=seat, membership=bob, by=None, at=NOON).seat_id

    outcomes = race(*[lambda seat=seat: take(seat) for seat in ten])
    assert [o for o in outcomes if isinstance(o, int)] == [SeatHolding.objects.get().seat_id]
    assert [type(o) for o in outcomes if isinstance(o, Exception)] == [MemberHasSeat] * 9


@pytest.mark.django_db(transaction=True)
def test_constraints_refuse_kindly_when_the_check_saw_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the locks were not there: both checked, both write, the second is told why not."""
    owner = team()
    members = [member(owner.team, f"m{number}@example.com") for number in range(8)]
    seat = a_seat(owner)
    checked = threading.Barrier(len(members))

    def unlocked(seat: Seat) -> Seat:
        return Seat.objects.select_related("team").get(pk=seat.pk)

    monkeypatch.setattr(seats, "lock_seat", unlocked)
    real_start = seats._start

    def start_together(seat: Seat, membership: Membership, **rest: object) -> SeatHolding:
        checked.wait()
        return real_start(seat, membership, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(seats, "_start", start_together)

    def take(whom: Membership) -> int:
        return seats.assign_seat(seat=seat, membership=whom, by=None, at=NOON).membership_id

    outcomes = race(*[lambda whom=whom: take(whom) for whom in members])
    assert [o for o in outcomes if isinstance(o, int)] == [SeatHolding.objects.get().membership_id]
    assert [type(o) for o in outcomes if isinstance(o, Exception)] == [SeatTaken] * 7


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("locked", [True, False], ids=["with the lock", "control, without it"])
def test_nobody_gets_a_seat_while_leaving(locked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = team()
    bob = member(owner.team, "bob@example.com")
    seat = a_seat(owner)
    left, assigned = threading.Event(), threading.Event()
    if not locked:
        monkeypatch.setattr(seats, "_lock_member_of", lambda seat, membership: membership)

    def leave() -> None:
        with transaction.atomic():
            memberships.end_membership(membership=bob, by=None, at=NOON)
            left.set()
            # With the lock the other waits for this transaction; without it, this one waits for the other.
            assigned.wait(timeout=0.5 if locked else 5)

    def assign() -> object:
        left.wait(timeout=5)
        try:
            return seats.assign_seat(seat=seat, membership=bob, by=None, at=NOON)
        finally:
            assigned.set()

    outcome = race(leave, assign)[1]
    bob.refresh_from_db()
    assert bob.ended_at == NOON
    if locked:
        assert isinstance(outcome, NotFound)
        assert not SeatHolding.objects.exists()
    else:
        assert SeatHolding.objects.current().get().membership == bob


def test_seats_are_numbered_within_their_team_and_a_number_is_given_once() -> None:
    first, other = team().team, team("Globex").team
    one, two = seats.add_seats(team=first, count=2, by=None, at=NOON)
    theirs = seats.add_seat(team=other, by=None, at=NOON)
    assert [one.number, two.number, theirs.number] == [1, 2, 1]
    assert [str(one), str(two), str(theirs)] == ["Seat 1", "Seat 2", "Seat 1"]
    seats.remove_seat(seat=two, by=None, at=NOON)
    assert seats.add_seat(team=first, by=None, at=NOON).number == 3
    with pytest.raises(IntegrityError, match="a_number_is_of_one_seat_of_a_team"), transaction.atomic():
        Seat.objects.create(team=first, number=2, created_at=NOON)


@pytest.mark.django_db(transaction=True)
def test_seats_that_are_added_at_once_have_numbers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = team()

    def add() -> list[int]:
        return [seat.number for seat in seats.add_seats(team=owner.team, count=2, by=None, at=NOON)]

    added = race(*[add] * 6)
    assert sorted(number for numbers in added for number in numbers) == list(range(1, 13))  # type: ignore[union-attr]

    # As if the Team were not locked: two count the same seats, and the constraint keeps one of them out. On a
    # busy machine one may be done before the other counts, so they try until they meet.
    counted = threading.Barrier(2, timeout=10)

    def count_together(of: Team) -> Team:
        counted.wait()
        return of

    monkeypatch.setattr(seats, "lock_team", count_together)
    assert any(isinstance(outcome, IntegrityError) for _ in range(20) for outcome in race(add, add))
