"""A member asks for access to Credits; the Owner or an Admin gives it, or declines, once."""

from __future__ import annotations

import pytest
from django.core import mail
from django.db import IntegrityError, transaction

from quota.errors import CreditRequestClosed, CreditRequestOpen
from quota.models import CreditAccess, CreditRequest
from quota.selectors.credits import credit_access
from quota.services.credit_requests import decline_credit_request, grant_credit_request, request_credits
from quota.services.credits import set_credit_access, set_team_credits
from quota.services.seat_requests import request_seat
from teams.models import AuditEntry, Mail, Membership, Role, Team
from teams.services.mail import deliver_due
from teams.services.memberships import end_membership
from tests.helpers.factories import (
    CREDIT,
    T0,
    give_credits,
    make_member,
    make_plan,
    make_team,
    make_user,
    owner_of,
)
from tokenplan.kit.errors import InvalidValue, NotFound

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def mia(team: Team) -> Membership:
    return make_member(team, make_user("mia@example.com"))


def ask(membership: Membership, wanted_nanousd: int | None = None, message: str = "") -> CreditRequest:
    return request_credits(
        membership=membership, wanted_nanousd=wanted_nanousd, message=message, at=T0, by=membership.user
    )


def grant(
    request: CreditRequest, overflow: str = "allow", month_cap_nanousd: int | None = None
) -> CreditRequest:
    by = owner_of(request.team).user
    return grant_credit_request(
        request=request, overflow=overflow, month_cap_nanousd=month_cap_nanousd, at=T0, by=by
    )


def decline(request: CreditRequest) -> CreditRequest:
    return decline_credit_request(request=request, at=T0, by=owner_of(request.team).user)


def access_of(member: Membership) -> tuple[bool, str, int | None]:
    row = credit_access(member)
    return row.allowed, row.overflow, row.month_cap_nanousd


def test_owner_and_admins_get_a_mail_and_who_asks_does_not(team: Team) -> None:
    admin = make_member(team, role=Role.ADMIN)
    asking = make_member(team, make_user("ada@example.com"), role=Role.ADMIN)
    make_member(team)

    ask(asking, 5_000 * CREDIT, "  Nightly   builds ")

    mails = Mail.objects.filter(kind="credits_requested")
    assert set(mails.values_list("to", flat=True)) == {owner_of(team).user.email, admin.user.email}
    assert mails[0].context == {
        "team": "Acme",
        "slug": "acme",
        "member": "ada@example.com",
        "wanted_nanousd": 5_000 * CREDIT,
        "message": "Nightly builds",
    }
    assert AuditEntry.objects.get(action="credits.requested").details == {"wanted_credits": "5000.000"}


@pytest.mark.parametrize(
    ("wanted", "message", "pointer"),
    [(0, "", "/wanted"), (-1, "", "/wanted"), (2**63, "", "/wanted"), (None, "x" * 501, "/message")],
)
def test_what_cannot_be_asked_for_names_its_field(
    mia: Membership, wanted: int | None, message: str, pointer: str
) -> None:
    with pytest.raises(InvalidValue) as refused:
        ask(mia, wanted, message)

    assert refused.value.pointer == pointer
    assert CreditRequest.objects.count() == 0


def test_the_owner_and_whoever_has_all_access_have_nothing_to_ask(team: Team, mia: Membership) -> None:
    with pytest.raises(InvalidValue, match="You own this Team"):
        ask(owner_of(team))

    set_credit_access(membership=mia, allowed=True, overflow="allow", month_cap_nanousd=None, at=T0, by=None)
    with pytest.raises(InvalidValue, match="already, without a cap"):
        ask(mia)

    set_credit_access(membership=mia, allowed=True, overflow="allow", month_cap_nanousd=1, at=T0, by=None)
    assert ask(mia).closed_at is None


def test_one_request_of_each_kind_at_a_time(mia: Membership) -> None:
    make_plan("max")
    request_seat(membership=mia, plan_code="max", message="", at=T0, by=mia.user)
    first = ask(mia)
    with pytest.raises(CreditRequestOpen):
        ask(mia)

    decline(first)

    assert ask(mia).pk != first.pk


def test_granting_gives_the_access_and_says_with_which_cap(mia: Membership) -> None:
    give_credits(mia.team, 9_000 * CREDIT)
    request = grant(ask(mia, 5_000 * CREDIT), "allow", 2_000 * CREDIT)

    request.refresh_from_db()
    assert (request.granted, request.overflow, request.month_cap_nanousd) == (True, "allow", 2_000 * CREDIT)
    assert access_of(mia) == (True, "allow", 2_000 * CREDIT)
    queued = Mail.objects.get(kind="credit_request_answered")
    assert queued.to == "mia@example.com"
    assert queued.context == {
        "team": "Acme",
        "answer": "granted",
        "by": owner_of(mia.team).user.display_name,
        "at": T0.isoformat(),
        "overflow": "allow",
        "month_cap_nanousd": 2_000 * CREDIT,
        "team_overflow": "allow",
        "balance_nanousd": 9_000 * CREDIT,
    }
    assert AuditEntry.objects.get(action="credits.request_answered").details == {
        "granted": True,
        "overflow": "allow",
        "month_cap_nanousd": 2_000 * CREDIT,
    }


def test_declining_changes_no_access(mia: Membership) -> None:
    before = access_of(mia)
    request = decline(ask(mia))

    request.refresh_from_db()
    assert (request.granted, request.overflow, request.month_cap_nanousd) == (False, "", None)
    assert access_of(mia) == before == (False, "allow", None)
    assert Mail.objects.get(kind="credit_request_answered").context["answer"] == "declined"
    assert not AuditEntry.objects.filter(action="credits.access").exists()


def test_an_answer_is_final(mia: Membership) -> None:
    request = decline(ask(mia))

    for again in (grant, decline):
        with pytest.raises(CreditRequestClosed):
            again(request)

    assert access_of(mia) == (False, "allow", None)
    assert Mail.objects.filter(kind="credit_request_answered").count() == 1


@pytest.mark.parametrize(
    ("overflow", "cap", "pointer"),
    [("allow", 0, "/month_cap"), ("allow", -1, "/month_cap"), ("sometimes", 1, "/overflow")],
)
def test_access_that_cannot_be_given_leaves_the_request_open(
    mia: Membership, overflow: str, cap: int, pointer: str
) -> None:
    request = ask(mia)

    with pytest.raises(InvalidValue) as refused:
        grant(request, overflow, cap)

    assert refused.value.pointer == pointer
    request.refresh_from_db()
    assert (request.closed_at, request.granted) == (None, None)
    assert not CreditAccess.objects.filter(membership=mia, allowed=True).exists()
    assert not Mail.objects.filter(kind="credit_request_answered").exists()


def test_whoever_left_gets_no_answer_and_no_access(mia: Membership) -> None:
    request = ask(mia)
    end_membership(membership=mia, by=mia.user, at=T0)

    with pytest.raises(NotFound):
        grant(request)

    request = CreditRequest.objects.get()
    assert (request.ended_at, request.was_granted) == (T0, False)
    assert not CreditRequest.objects.open().exists()
    assert access_of(mia) == (False, "allow", None)


@pytest.mark.parametrize(
    ("wrong", "constraint"),
    [
        ({"closed_at": T0}, "a_credit_request_is_answered_whole"),
        ({"overflow": "allow"}, "a_granted_credit_request_says_what_was_given"),
        ({"month_cap_nanousd": 1}, "a_granted_credit_request_says_what_was_given"),
        ({"wanted_nanousd": 0}, "a_credit_request_wants_more_than_nothing"),
    ],
)
def test_the_database_keeps_no_half_answer(
    mia: Membership, wrong: dict[str, object], constraint: str
) -> None:
    request = ask(mia)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        CreditRequest.objects.filter(pk=request.pk).update(**wrong)


def test_the_database_keeps_a_granted_request_with_what_was_given(mia: Membership) -> None:
    request = grant(ask(mia))

    for wrong in ({"overflow": ""}, {"month_cap_nanousd": 0}):
        with (
            pytest.raises(IntegrityError, match="a_granted_credit_request_says_what_was_given"),
            transaction.atomic(),
        ):
            CreditRequest.objects.filter(pk=request.pk).update(**wrong)
    with (
        pytest.raises(IntegrityError, match="a_credit_request_is_of_its_members_team"),
        transaction.atomic(),
    ):
        CreditRequest.objects.filter(pk=request.pk).update(team=make_team())


def last_mail() -> str:
    deliver_due(at=T0)
    return f"{mail.outbox[-1].subject}\n{mail.outbox[-1].body}"


def test_the_mail_says_what_the_access_does(mia: Membership) -> None:
    give_credits(mia.team, 9_000 * CREDIT)
    grant(ask(mia), "allow", 2_000 * CREDIT)

    text = last_mail()

    by = owner_of(mia.team).user.display_name
    assert text.startswith("You may use the Credits of Acme\n")
    assert f'{by} gave you access to the Credits of the Team "Acme" at 3 Jun 2026, 10:02 UTC.' in text
    assert "You may use at most 2,000 Credits a calendar month (UTC)." in text
    assert "They pay for your calls when a window of your seat is full" in text
    assert "no Credits at the moment" not in text


def test_the_mail_says_what_the_access_does_not_do(mia: Membership) -> None:
    set_team_credits(team=mia.team, overflow="never", low_balance_nanousd=0, at=T0, by=None)
    grant(ask(mia))

    text = last_mail()

    assert "No monthly cap was set for you." in text
    assert "When a window of a seat is full they do not: this is switched off for the whole Team" in text
    assert "The Team has no Credits at the moment." in text

    grant(ask_again(mia), "never", 1)
    assert "and not when a window of a seat is full." in last_mail()


def ask_again(member: Membership) -> CreditRequest:
    set_credit_access(membership=member, allowed=True, overflow="allow", month_cap_nanousd=1, at=T0, by=None)
    return ask(member)


def test_the_mail_of_a_declined_request_promises_nothing(mia: Membership) -> None:
    request = ask(mia, 5_000 * CREDIT, "Nightly")
    asked = last_mail()
    decline(request)

    text = last_mail()

    assert text.startswith("Your request for Credits in Acme was declined\n")
    assert "declined it at 3 Jun 2026, 10:02 UTC: your access is what it was." in text
    assert "5,000 a calendar month" in asked
    assert '"Nightly"' in asked
