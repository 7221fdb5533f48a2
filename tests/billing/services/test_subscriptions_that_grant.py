"""A change that raises the seat of who asks for it is the answer, whoever hears that it was paid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.models import Change
from billing.services.changes import open_change, refuse_change
from quota.models import SeatRequest
from quota.services.entitlements import suspend_seat
from quota.services.seat_requests import answer_request, request_seat
from teams.models import AuditEntry, Mail, Membership, Seat, SeatHolding, User
from teams.services.memberships import end_membership
from teams.services.seats import assign_seat, end_holding
from tests.helpers.factories import T0, make_member, make_plan, make_user, owner_of
from tests.helpers.stripe_says import Bill, agrees_to_move, put_on_sale

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


class Scene:
    """Mia holds a Plus seat, Bob another; Mia asks for Max."""

    def __init__(self) -> None:
        put_on_sale()
        make_plan("ultra")
        self.bill = Bill()
        self.bill.say({"plus": 2})
        self.owner: User = owner_of(self.bill.team).user
        self.seat, self.others = self.bill.team.seats.order_by("pk")
        self.mia = self.member("mia@example.com", self.seat)
        self.bob = self.member("bob@example.com", self.others)

    def member(self, email: str, seat: Seat) -> Membership:
        member = make_member(self.bill.team, make_user(email))
        assign_seat(seat=seat, membership=member, by=None, at=T0)
        return member

    def ask(self, member: Membership, plan: str = "max") -> SeatRequest:
        return request_seat(membership=member, plan_code=plan, message="", at=T0, by=member.user)

    def move(self, *seats: Seat, by: User | None) -> Change:
        agreed = agrees_to_move(self.bill, "max", *(seat.pk for seat in seats))
        return open_change(team=self.bill.team, agreed=agreed, at=T0, by=by)

    def paid(self, seats: dict[str, int], **other: Any) -> list[str]:
        return self.bill.say(seats, at=T0 + SECOND, **other)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def is_open(request: SeatRequest) -> bool:
    request.refresh_from_db()
    return (request.closed_at, request.closed_by, request.granted, request.seat) == (None, None, None, None)


def nobody_was_answered() -> bool:
    mails = Mail.objects.filter(kind="seat_request_answered")
    return not mails.exists() and not AuditEntry.objects.filter(action="seat.request_answered").exists()


def test_the_seat_held_is_raised_and_the_request_is_granted_by_who_made_the_change(scene: Scene) -> None:
    asked, of_bob = scene.ask(scene.mia), scene.ask(scene.bob)
    scene.move(scene.seat, by=scene.owner)
    holdings = list(SeatHolding.objects.order_by("pk").values())

    changed = scene.paid({"plus": 1, "max": 1})

    asked.refresh_from_db()
    assert (asked.closed_at, asked.closed_by, asked.granted) == (T0 + SECOND, scene.owner, True)
    assert (asked.seat, asked.seat_plan_code) == (scene.seat, "max")
    assert changed[-1] == f"request {asked.pk} for max is granted"
    answer = Mail.objects.get(kind="seat_request_answered")
    assert (answer.to, answer.context) == (
        "mia@example.com",
        {
            "team": scene.bill.team.name,
            "plan": "Max",
            "answer": "granted",
            "by": scene.owner.display_name,
            "at": (T0 + SECOND).isoformat(),
            "seat": scene.seat.number,
            "seat_plan": "Max",
        },
    )
    entry = AuditEntry.objects.get(action="seat.request_answered")
    assert (entry.by, entry.subject, entry.details) == (
        scene.owner,
        "mia@example.com",
        {"plan": "max", "granted": True, "seat": scene.seat.pk, "seat_plan": "max"},
    )
    assert list(SeatHolding.objects.order_by("pk").values()) == holdings
    assert is_open(of_bob)


def test_heard_twice_it_is_answered_once(scene: Scene) -> None:
    scene.ask(scene.mia)
    scene.move(scene.seat, by=scene.owner)
    scene.paid({"plus": 1, "max": 1})

    assert scene.paid({"plus": 1, "max": 1}) == []
    assert Mail.objects.filter(kind="seat_request_answered").count() == 1


def test_all_whose_seats_one_change_raises_are_answered(scene: Scene) -> None:
    asked = [scene.ask(scene.mia), scene.ask(scene.bob)]
    scene.move(scene.seat, scene.others, by=scene.owner)

    scene.paid({"max": 2})

    for request in asked:
        request.refresh_from_db()
    assert [(row.granted, row.seat_plan_code) for row in asked] == [(True, "max"), (True, "max")]
    assert [row.seat for row in asked] == [scene.seat, scene.others]


def test_a_change_that_waits_for_its_payment_answers_nobody_until_it_is_paid(scene: Scene) -> None:
    asked = scene.ask(scene.mia)
    scene.move(scene.seat, by=scene.owner)

    scene.paid({"plus": 2}, pending_until=T0 + timedelta(hours=1), pending_invoice_id="in_1")
    assert is_open(asked)
    assert Change.objects.get().state == Change.State.AWAITS_PAYMENT

    scene.paid({"plus": 1, "max": 1})
    asked.refresh_from_db()
    assert (asked.granted, asked.closed_by) == (True, scene.owner)


def test_a_change_that_is_refused_answers_nobody(scene: Scene) -> None:
    asked = scene.ask(scene.mia)
    change = scene.move(scene.seat, by=scene.owner)
    refuse_change(change=change, reason="declined", at=T0)

    scene.paid({"plus": 2})

    assert is_open(asked)
    assert nobody_was_answered()


def test_a_request_for_another_plan_stays_open(scene: Scene) -> None:
    asked = scene.ask(scene.mia, "ultra")
    scene.move(scene.seat, by=scene.owner)
    scene.paid({"plus": 1, "max": 1})

    assert scene.bill.plans(T0 + SECOND) == ["max", "plus"]
    assert is_open(asked)
    assert nobody_was_answered()


def test_who_holds_the_seat_no_more_is_not_answered(scene: Scene) -> None:
    asked = scene.ask(scene.mia)
    scene.move(scene.seat, by=scene.owner)
    end_holding(seat=scene.seat, held_by=scene.mia, by=scene.owner, at=T0)
    scene.paid({"plus": 1, "max": 1})

    assert is_open(asked)
    assert nobody_was_answered()


def test_what_cannot_be_answered_stops_no_payment(scene: Scene) -> None:
    """Each change takes effect: of who has left, of one that nobody of the Team asked for."""
    gone = scene.ask(scene.mia)
    scene.move(scene.seat, by=scene.owner)
    end_membership(membership=scene.mia, by=scene.mia.user, at=T0)
    scene.paid({"plus": 1, "max": 1})
    of_bob = scene.ask(scene.bob)
    agreed = agrees_to_move(scene.bill, "max", scene.others.pk, second=2)
    open_change(team=scene.bill.team, agreed=agreed, at=T0 + SECOND, by=None)
    scene.paid({"max": 2})

    assert set(Change.objects.values_list("state", flat=True)) == {Change.State.DONE}
    assert (is_open(gone), is_open(of_bob)) == (True, True)
    assert nobody_was_answered()


def test_a_seat_that_an_operator_stopped_is_given_to_nobody(scene: Scene) -> None:
    asked = scene.ask(scene.mia)
    scene.move(scene.seat, by=scene.owner)
    suspend_seat(seat=scene.seat, at=T0, by=None)
    scene.paid({"plus": 1, "max": 1})

    assert scene.bill.row.seats.get(seat=scene.seat).plan.code == "max"
    assert is_open(asked)


def test_a_request_that_was_declined_while_the_payment_was_under_way_stays_declined(scene: Scene) -> None:
    asked = scene.ask(scene.mia)
    scene.move(scene.seat, by=scene.owner)
    answer_request(request=asked, granted=False, seat=None, at=T0, by=scene.owner)
    scene.paid({"plus": 1, "max": 1})

    asked.refresh_from_db()
    assert (asked.granted, asked.closed_at) == (False, T0)
    assert Mail.objects.get(kind="seat_request_answered").context["answer"] == "declined"
