"""A member asks for a seat; the Owner or an Admin answers, once."""

from __future__ import annotations

import pytest

from quota.errors import SeatRequestClosed, SeatRequestOpen
from quota.models import SeatRequest
from quota.services.seat_requests import answer_request, request_seat
from teams.errors import SeatTaken
from teams.models import AuditEntry, Mail, Membership, Role, SeatHolding, Team
from teams.services.memberships import end_membership
from tests.helpers.factories import T0, make_member, make_plan, make_seat, make_team, make_user, owner_of
from tokenplan.kit.errors import InvalidValue, NotFound

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


def test_an_answer_is_final(mia: Membership) -> None:
    request = ask(mia)
    owner = owner_of(mia.team).user
    answer_request(request=request, granted=False, seat=None, at=T0, by=owner)

    with pytest.raises(SeatRequestClosed):
        answer_request(request=request, granted=True, seat=None, at=T0, by=owner)

    assert Mail.objects.get(kind="seat_request_answered").context["answer"] == "declined"


def test_a_seat_that_was_taken_meanwhile_leaves_the_request_open_and_the_old_seat_held(
    mia: Membership,
) -> None:
    old = make_seat(mia.team, holder=mia)
    taken = make_seat(mia.team, holder=owner_of(mia.team))
    request = ask(mia)

    with pytest.raises(SeatTaken):
        answer_request(request=request, granted=True, seat=taken, at=T0, by=owner_of(mia.team).user)

    request.refresh_from_db()
    assert request.closed_at is None
    assert SeatHolding.objects.current().get(membership=mia).seat == old


def test_granting_the_seat_already_held_changes_no_holding(mia: Membership) -> None:
    seat = make_seat(mia.team, holder=mia)

    answer_request(request=ask(mia), granted=True, seat=seat, at=T0, by=owner_of(mia.team).user)

    assert SeatHolding.objects.count() == 1


def test_whoever_left_gets_no_answer(mia: Membership) -> None:
    request = ask(mia)
    end_membership(membership=mia, by=mia.user, at=T0)

    with pytest.raises(NotFound):
        answer_request(request=request, granted=True, seat=None, at=T0, by=owner_of(mia.team).user)
