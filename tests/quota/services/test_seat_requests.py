"""A member asks for a seat; the Owner or an Admin answers, once."""

from __future__ import annotations

import importlib

import pytest
from django.core import mail
from django.db import IntegrityError, connection, transaction

from quota.errors import SeatNotEntitled, SeatRequestClosed, SeatRequestNeedsSeat, SeatRequestOpen
from quota.models import SeatRequest
from quota.services.entitlements import entitle_seat, suspend_seat
from quota.services.seat_requests import answer_request, request_seat
from teams.errors import SeatTaken
from teams.models import AuditEntry, Mail, Membership, Role, Seat, SeatHolding, Team
from teams.services.mail import deliver_due
from teams.services.memberships import end_membership
from teams.services.seats import add_seat
from tests.helpers.factories import T0, make_member, make_plan, make_seat, make_team, make_user, owner_of
from tokenplan.kit.errors import InvalidValue, NotFound

SEATS_OF_EARLIER_ANSWERS = importlib.import_module(
    "quota.migrations.0010_member_requests"
).SEATS_OF_EARLIER_ANSWERS

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    make_plan("max")
    return make_team("Acme")


@pytest.fixture
def mia(team: Team) -> Membership:
    return make_member(team, make_user("mia@example.com"))


def ask(membership: Membership, plan_code: str = "max", message: str = "") -> SeatRequest:
    return request_seat(
        membership=membership, plan_code=plan_code, message=message, at=T0, by=membership.user
    )


def test_owner_and_admins_get_a_mail_and_who_asks_does_not(team: Team) -> None:
    admin = make_member(team, role=Role.ADMIN)
    asking = make_member(team, role=Role.ADMIN)
    make_member(team)

    ask(asking, message="  Nightly   builds ")

    mails = Mail.objects.filter(kind="seat_requested")
    assert set(mails.values_list("to", flat=True)) == {owner_of(team).user.email, admin.user.email}
    assert mails[0].context["message"] == "Nightly builds"
    assert AuditEntry.objects.get(action="seat.requested").details == {"plan": "max"}


@pytest.mark.parametrize(
    ("plan_code", "message", "pointer"),
    [("ultra", "", "/plan_code"), ("max", "x" * 501, "/message"), ("max", "a\nb", "/message")],
)
def test_what_cannot_be_asked_for_names_its_field(
    mia: Membership, plan_code: str, message: str, pointer: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        ask(mia, plan_code, message)

    assert refused.value.pointer == pointer
    assert SeatRequest.objects.count() == 0


def test_the_owner_has_nobody_to_ask(team: Team) -> None:
    with pytest.raises(InvalidValue, match="You own this Team"):
        ask(owner_of(team))


def test_one_request_at_a_time(mia: Membership) -> None:
    first = ask(mia)
    with pytest.raises(SeatRequestOpen):
        ask(mia)

    answer_request(request=first, granted=False, seat=None, at=T0, by=owner_of(mia.team).user)

    assert ask(mia).pk != first.pk


def decline(request: SeatRequest) -> None:
    by = owner_of(request.team).user
    answer_request(request=request, granted=False, seat=None, at=T0, by=by)


def give(request: SeatRequest, seat: Seat | None) -> SeatRequest:
    by = owner_of(request.team).user
    return answer_request(request=request, granted=True, seat=seat, at=T0, by=by)


def is_untouched(request: SeatRequest) -> bool:
    """Nobody was answered, and nobody got a mail about it."""
    request.refresh_from_db()
    answers = Mail.objects.filter(kind__in=["seat_request_answered", "seat_assigned"])
    return (request.closed_at, request.granted, request.seat) == (None, None, None) and not answers.exists()


def test_a_granted_request_names_the_seat_its_plan_and_who_gave_it(mia: Membership) -> None:
    seat = make_seat(mia.team, make_plan("ultra"))
    request = give(ask(mia), seat)

    request.refresh_from_db()
    assert (request.granted, request.seat, request.seat_plan_code) == (True, seat, "ultra")
    assert SeatHolding.objects.current().get(membership=mia).seat == seat
    queued = Mail.objects.get(kind="seat_request_answered")
    assert queued.to == "mia@example.com"
    assert queued.context == {
        "team": "Acme",
        "plan": "Max",
        "answer": "granted",
        "by": owner_of(mia.team).user.display_name,
        "at": T0.isoformat(),
        "seat": seat.number,
        "seat_plan": "Ultra",
    }
    assert AuditEntry.objects.get(action="seat.request_answered").details == {
        "plan": "max",
        "granted": True,
        "seat": seat.pk,
        "seat_plan": "ultra",
    }


def test_the_mail_says_which_seat_was_given_or_that_none_was(mia: Membership) -> None:
    by = owner_of(mia.team).user.display_name
    decline(ask(mia))
    seat = make_seat(mia.team, make_plan("ultra"))
    give(ask(mia), seat)
    deliver_due(at=T0)

    declined, given = [row for row in mail.outbox if "You asked for a Max seat" in str(row.body)]
    assert declined.subject == "Your request for a Max seat in Acme was declined"
    assert f"{by} declined it at 3 Jun 2026, 10:02 UTC: no seat was assigned" in str(declined.body)
    assert given.subject == "You have a seat of the plan Ultra in Acme"
    assert f"{by} assigned seat {seat.number} to you at 3 Jun 2026, 10:02 UTC" in str(given.body)
    assert "its plan is Ultra." in str(given.body)


def test_nothing_is_granted_without_a_seat(mia: Membership) -> None:
    request = ask(mia)

    with pytest.raises(SeatRequestNeedsSeat):
        give(request, None)

    assert is_untouched(request)


def test_a_seat_without_a_plan_that_works_is_not_given(mia: Membership) -> None:
    suspended = make_seat(mia.team, make_plan("max"))
    suspend_seat(seat=suspended, at=T0, by=None)
    request = ask(mia)

    for seat in (add_seat(team=mia.team, by=None, at=T0), suspended):
        with pytest.raises(SeatNotEntitled):
            give(request, seat)

    assert is_untouched(request)
    assert not SeatHolding.objects.exists()


def test_an_answer_is_final(mia: Membership) -> None:
    seat = make_seat(mia.team, make_plan("max"))
    request = ask(mia)
    decline(request)

    with pytest.raises(SeatRequestClosed):
        give(request, seat)

    assert Mail.objects.get(kind="seat_request_answered").context["answer"] == "declined"
    assert not SeatHolding.objects.exists()


def test_a_seat_that_was_taken_meanwhile_leaves_the_request_open_and_the_old_seat_held(
    mia: Membership,
) -> None:
    old = make_seat(mia.team, make_plan("plus"), holder=mia)
    taken = make_seat(mia.team, make_plan("max"), holder=owner_of(mia.team))
    request = ask(mia)
    Mail.objects.filter(kind="seat_assigned").delete()

    with pytest.raises(SeatTaken):
        give(request, taken)

    assert is_untouched(request)
    assert SeatHolding.objects.current().get(membership=mia).seat == old


def test_the_seat_held_is_given_again_once_it_was_raised_to_the_plan_asked_for(mia: Membership) -> None:
    seat = make_seat(mia.team, make_plan("plus"), holder=mia)
    request = ask(mia)
    Mail.objects.filter(kind="seat_assigned").delete()

    with pytest.raises(SeatRequestNeedsSeat):
        give(request, seat)
    assert is_untouched(request)

    entitle_seat(
        seat=seat, plan=make_plan("max"), starts_at=T0, ends_at=None, source="raised", at=T0, by=None
    )
    answered = give(request, seat)

    assert (answered.seat, answered.seat_plan_code) == (seat, "max")
    assert SeatHolding.objects.count() == 1


def test_a_plan_that_is_not_above_the_seat_held_is_not_asked_for(mia: Membership) -> None:
    make_seat(mia.team, make_plan("max"), holder=mia)

    with pytest.raises(InvalidValue) as refused:
        ask(mia)

    assert refused.value.pointer == "/plan_code"
    assert SeatRequest.objects.count() == 0


def test_whoever_left_gets_no_answer(mia: Membership) -> None:
    request = ask(mia)
    end_membership(membership=mia, by=mia.user, at=T0)

    with pytest.raises(NotFound):
        decline(request)

    assert (request.ended_at, request.was_granted) == (None, None)
    request = SeatRequest.objects.get()
    assert (request.ended_at, request.was_granted) == (T0, False)


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"granted": True, "closed_at": T0, "closed_by": 1}, "a_granted_seat_request_has_its_seat"),
        ({"granted": False, "closed_at": T0, "closed_by": None}, "a_seat_request_is_answered_whole"),
        ({"seat": 1, "seat_plan_code": "max"}, "a_granted_seat_request_has_its_seat"),
    ],
)
def test_the_database_keeps_no_promise_and_no_half_answer(
    mia: Membership, wrong: dict[str, object], constraint: str
) -> None:
    request = ask(mia)
    if wrong.get("closed_by"):
        wrong = {**wrong, "closed_by": mia.user}
    if wrong.get("seat"):
        wrong = {**wrong, "seat": make_seat(mia.team)}

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        SeatRequest.objects.filter(pk=request.pk).update(**wrong)


def test_the_database_keeps_seats_of_other_teams_out(mia: Membership) -> None:
    request = give(ask(mia), make_seat(mia.team, make_plan("max")))

    with pytest.raises(IntegrityError, match="a_seat_request_gets_a_seat_of_its_team"), transaction.atomic():
        SeatRequest.objects.filter(pk=request.pk).update(seat=make_seat(make_team()))


def test_requests_granted_before_seats_were_named_get_the_seat_that_went_with_them(mia: Membership) -> None:
    """The migration, run upon rows as they were before it."""
    other = make_member(mia.team)
    seat = make_seat(mia.team, make_plan("max"))
    with_seat, without = give(ask(mia), seat), ask(other)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE quota_seatrequest DROP CONSTRAINT a_granted_seat_request_has_its_seat")
        SeatRequest.objects.filter(pk=without.pk).update(closed_at=T0, closed_by=mia.user, granted=True)
        SeatRequest.objects.update(seat=None, seat_plan_code="")
        cursor.execute(SEATS_OF_EARLIER_ANSWERS)

    with_seat.refresh_from_db()
    without.refresh_from_db()
    assert (with_seat.granted, with_seat.seat, with_seat.seat_plan_code) == (True, seat, "max")
    assert (without.granted, without.seat, without.seat_plan_code) == (False, None, "")
