"""Each verb of `quota` that locks, while another is in the middle of what it must not overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections, transaction

from quota.errors import CreditRequestClosed, SeatRequestClosed
from quota.models import (
    CreditAccess,
    CreditGrant,
    CreditLedgerEntry,
    CreditRequest,
    Entitlement,
    OwedUsage,
    SeatRequest,
)
from quota.services import credit_requests, entitlements, gateways, seat_requests
from quota.services.credits import adjust_lot, freeze_lot, set_credit_access
from quota.services.owed import waive_owed_usage
from teams.errors import SeatTaken
from teams.models import AuditEntry, Membership, Seat
from teams.services.memberships import end_membership
from tests.helpers.factories import (
    T0,
    give_credits,
    make_desk,
    make_gateway,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.hot_path import PENNY
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tests.helpers.races import waiting
from tokenplan.kit.errors import NotFound

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LATER = T0 + timedelta(hours=1)


def leaves(member: Membership) -> Callable[[], object]:
    return lambda: end_membership(membership=member, by=None, at=T0)


def entitles(seat: Seat, source: str) -> Callable[[], object]:
    plan = make_plan()
    return lambda: entitlements.entitle_seat(
        seat=seat, plan=plan, starts_at=T0, ends_at=None, source=source, at=T0, by=None
    )


def open_of(seat: Seat) -> Entitlement | None:
    return Entitlement.objects.open().filter(seat=seat).first()


def entitled_twice() -> Case:
    seat = make_seat(make_team())
    return Case(
        entitles(seat, "one"), entitles(seat, "two"), lambda: getattr(open_of(seat), "source", "") == "two"
    )


def suspended_while_entitled_anew() -> Case:
    seat = make_seat(make_team())
    return Case(
        entitles(seat, "new"),
        lambda: entitlements.suspend_seat(seat=seat, at=LATER, by=None),
        lambda: getattr(open_of(seat), "suspended_at", None) == LATER,
    )


def withdrawn_while_entitled_anew() -> Case:
    seat = make_seat(make_team())
    return Case(
        entitles(seat, "new"),
        lambda: entitlements.withdraw_seat(seat=seat, at=LATER, by=None),
        lambda: open_of(seat) is None,
    )


def asks(member: Membership) -> SeatRequest:
    make_plan("max")
    return seat_requests.request_seat(membership=member, plan_code="max", message="", at=T0, by=member.user)


def answers(request: SeatRequest, seat: Seat | None) -> Callable[[], object]:
    """Gives the seat, or declines."""
    by = make_user()
    return lambda: seat_requests.answer_request(
        request=request, granted=seat is not None, seat=seat, at=LATER, by=by
    )


def asks_for_credits(member: Membership) -> CreditRequest:
    return credit_requests.request_credits(
        membership=member, wanted_nanousd=None, message="", at=T0, by=member.user
    )


def gives_access(request: CreditRequest, month_cap_nanousd: int) -> Callable[[], object]:
    by = make_user()
    return lambda: credit_requests.grant_credit_request(
        request=request, overflow="allow", month_cap_nanousd=month_cap_nanousd, at=LATER, by=by
    )


def declines_access(request: CreditRequest) -> Callable[[], object]:
    by = make_user()
    return lambda: credit_requests.decline_credit_request(request=request, at=LATER, by=by)


def asked_for_by_who_leaves() -> Case:
    member = make_member(make_team())
    return Case(
        leaves(member),
        lambda: asks(member),
        lambda: not SeatRequest.objects.filter(membership=member).exists(),
        NotFound,
    )


def answered_twice() -> Case:
    member = make_member(make_team())
    request = asks(member)
    seat = make_seat(member.team)
    return Case(
        answers(request, None),
        answers(request, seat),
        lambda: (
            SeatRequest.objects.get(pk=request.pk).granted is False and not member.holdings.current().exists()
        ),
        SeatRequestClosed,
    )


def granted_twice() -> Case:
    """Two Admins give a seat each: the member holds the one that the answer names."""
    member = make_member(make_team())
    request = asks(member)
    first, second = make_seat(member.team), make_seat(member.team)
    return Case(
        answers(request, first),
        answers(request, second),
        lambda: (
            SeatRequest.objects.get(pk=request.pk).seat == first
            and [row.seat for row in member.holdings.all()] == [first]
        ),
        SeatRequestClosed,
    )


def answered_to_who_leaves() -> Case:
    member = make_member(make_team())
    request = asks(member)
    return Case(
        leaves(member),
        answers(request, make_seat(member.team)),
        lambda: SeatRequest.objects.get(pk=request.pk).granted is None,
        NotFound,
    )


def asked_for_credits_by_who_leaves() -> Case:
    member = make_member(make_team())
    return Case(
        leaves(member),
        lambda: asks_for_credits(member),
        lambda: not CreditRequest.objects.filter(membership=member).exists(),
        NotFound,
    )


def given_access_twice() -> Case:
    """Two Admins give access, with a cap each: the member has the one that the answer names."""
    member = make_member(make_team())
    request = asks_for_credits(member)
    return Case(
        gives_access(request, 1),
        gives_access(request, 2),
        lambda: (
            CreditRequest.objects.get(pk=request.pk).month_cap_nanousd == 1
            and CreditAccess.objects.get(membership=member).month_cap_nanousd == 1
        ),
        CreditRequestClosed,
    )


def access_declined_and_given() -> Case:
    member = make_member(make_team())
    request = asks_for_credits(member)
    return Case(
        declines_access(request),
        gives_access(request, 1),
        lambda: (
            CreditRequest.objects.get(pk=request.pk).granted is False
            and not CreditAccess.objects.filter(membership=member, allowed=True).exists()
        ),
        CreditRequestClosed,
    )


def given_access_and_declined() -> Case:
    member = make_member(make_team())
    request = asks_for_credits(member)
    return Case(
        gives_access(request, 1),
        declines_access(request),
        lambda: CreditRequest.objects.get(pk=request.pk).granted is True,
        CreditRequestClosed,
    )


def access_given_to_who_leaves() -> Case:
    member = make_member(make_team())
    request = asks_for_credits(member)
    return Case(
        leaves(member),
        gives_access(request, 1),
        lambda: CreditRequest.objects.get(pk=request.pk).granted is None,
        NotFound,
    )


def revoked_twice() -> Case:
    gateway = make_gateway()

    def revoke() -> object:
        return gateways.revoke_gateway(gateway=gateway, at=T0, by=None)

    log = AuditEntry.objects.filter(action="gateway.revoked", subject=gateway.name)
    return Case(revoke, revoke, lambda: log.count() == 1, NotFound)


def access_of_who_leaves() -> Case:
    member = make_member(make_team())
    return Case(
        leaves(member),
        lambda: set_credit_access(
            membership=member, allowed=True, overflow="allow", month_cap_nanousd=None, at=LATER, by=None
        ),
        lambda: not CreditAccess.objects.filter(membership=member).exists(),
        NotFound,
    )


def access_set_twice() -> Case:
    """What the first has set is on the log of the second as what it was before: it sets it back."""
    member = make_member(make_team(), credits=True)

    def sets(allowed: bool, cap: int | None) -> Callable[[], object]:
        return lambda: set_credit_access(
            membership=member, allowed=allowed, overflow="allow", month_cap_nanousd=cap, at=LATER, by=None
        )

    return Case(
        sets(False, PENNY),
        sets(True, None),
        lambda: CreditAccess.objects.filter(membership=member, allowed=True, month_cap_nanousd=None).exists(),
    )


def lot() -> CreditGrant:
    team = make_team()
    give_credits(team, 20 * PENNY)
    return CreditGrant.objects.get(team=team)


def adjusts(lot: CreditGrant, pennies: int) -> Callable[[], object]:
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    return lambda: adjust_lot(lot=lot, nanousd=pennies * PENNY, kind=kind, cause="a", at=T0, by=None)


def adjusted_twice() -> Case:
    of = lot()
    return Case(
        adjusts(of, -5),
        adjusts(of, -7),
        lambda: (
            CreditGrant.objects.get(pk=of.pk).remaining_nanousd
            == CreditLedgerEntry.objects.filter(grant=of).balance()
            == 8 * PENNY
        ),
    )


def frozen_twice() -> Case:
    of = lot()

    def freezes(at: object) -> Callable[[], object]:
        return lambda: freeze_lot(lot=of, frozen=True, at=at, by=None)  # type: ignore[arg-type]

    return Case(freezes(T0), freezes(LATER), lambda: CreditGrant.objects.get(pk=of.pk).frozen_at == T0)


def waived_while_it_is_paid() -> Case:
    use_test_rate_card()
    team = make_team()
    give_credits(team, 3 * PENNY)
    desk = make_desk(owner_of(team))
    desk.settle(desk.ask(1), 10)
    owed = OwedUsage.objects.get(team=team)
    return Case(
        lambda: give_credits(team, 20 * PENNY),
        lambda: waive_owed_usage(owed=owed, reason="ours", at=LATER, by=None),
        lambda: OwedUsage.objects.get(pk=owed.pk).waived_nanousd == 0,
    )


CASES: list[Callable[[], Case]] = [
    entitled_twice,
    suspended_while_entitled_anew,
    withdrawn_while_entitled_anew,
    asked_for_by_who_leaves,
    answered_twice,
    granted_twice,
    answered_to_who_leaves,
    asked_for_credits_by_who_leaves,
    given_access_twice,
    access_declined_and_given,
    given_access_and_declined,
    access_given_to_who_leaves,
    revoked_twice,
    access_of_who_leaves,
    access_set_twice,
    adjusted_twice,
    frozen_twice,
    waived_while_it_is_paid,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)


def test_two_who_are_given_each_others_seats_are_both_refused_and_none_waits_for_ever() -> None:
    team = make_team()
    plan, by = make_plan("max"), make_user()
    holders = [make_member(team) for _ in range(2)]
    held = [make_seat(team, plan, holder=member) for member in holders]

    def given(member: Membership, seat: Seat) -> object:
        request = SeatRequest.objects.create(membership=member, team=team, plan_code="max", created_at=T0)
        try:
            return seat_requests.answer_request(request=request, granted=True, seat=seat, at=LATER, by=by)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            Seat.objects.select_for_update(no_key=True).get(pk=held[0].pk)
            first = pool.submit(given, holders[0], held[1])
            waiting("transactionid", 1)
            second = pool.submit(given, holders[1], held[0])
            waiting("", 2)
        assert [type(one.result(30)) for one in (first, second)] == [SeatTaken, SeatTaken]
    assert [seat.holdings.current().get().membership for seat in held] == holders
