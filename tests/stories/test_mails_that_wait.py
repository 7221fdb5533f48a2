"""A mail that waits, as while the mail server is away, is not sent when what it says is not so any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.mail import EmailMessage

from billing.services.contacts import set_contacts
from billing.services.notifications import notify_payers
from billing.services.top_ups import begin_top_up, set_auto_top_up
from quota.services.credit_requests import decline_credit_request, grant_credit_request, request_credits
from quota.services.credits import set_credit_access
from quota.services.entitlements import entitle_seat, resume_seat, suspend_seat
from quota.services.notices import send_notices
from quota.services.seat_requests import answer_request, request_seat
from quota.windows import Limit, Policy, Rule
from teams.models import Mail, Membership, Team
from teams.services import invitations, memberships, seats
from teams.services.mail import deliver_due
from teams.services.seats import Change, assign_seat, free_seat, move_seat, undo_change
from tests.helpers.bought import say_payment
from tests.helpers.factories import (
    CREDIT,
    MONDAY,
    T0,
    USD,
    give_credits,
    limits,
    make_member,
    make_plan,
    make_scene,
    make_team,
    owner_of,
)

pytestmark = pytest.mark.django_db

A_MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CENT = USD // 100


def waiting(kind: str) -> list[str]:
    return list(Mail.objects.filter(kind=kind, sent_at=None).order_by("pk").values_list("to", flat=True))


def test_of_a_seat_that_was_moved_back_by_undo_nobody_is_mailed() -> None:
    team = make_team()
    owner, ada, bob = owner_of(team).user, make_member(team), make_member(team)
    seat = seats.add_seat(team=team, by=None, at=T0)
    assign_seat(seat=seat, membership=ada, by=owner, at=T0)
    Mail.objects.update(sent_at=T0)
    holding = move_seat(seat=seat, to=bob, by=owner, at=T0)
    assert waiting("seat_assigned") == [bob.user.email]

    change = Change(holding_id=holding.pk, is_held=True, before_id=ada.pk, at=T0)
    undo_change(seat=seat, change=change, by=owner, at=T0 + A_MINUTE)

    assert waiting("seat_assigned") == []


@pytest.mark.parametrize("how", ["freed", "removed", "the holder leaves"])
def test_of_a_seat_that_is_gone_by_then_nobody_is_mailed(how: str) -> None:
    team = make_team()
    owner, ada, bob = owner_of(team).user, make_member(team), make_member(team)
    seat, other = seats.add_seats(team=team, count=2, by=None, at=T0)
    assign_seat(seat=other, membership=bob, by=owner, at=T0)
    assign_seat(seat=seat, membership=ada, by=owner, at=T0)
    assert waiting("seat_assigned") == [bob.user.email, ada.user.email]

    if how == "freed":
        free_seat(seat=seat, by=owner, at=T0)
    elif how == "removed":
        seats.remove_seat(seat=seat, by=None, at=T0)
    else:
        memberships.end_membership(membership=ada, by=ada.user, at=T0)

    assert waiting("seat_assigned") == [bob.user.email]


def test_a_role_and_the_billing_right_are_mailed_as_they_are() -> None:
    team = make_team()
    owner, ada, bob = owner_of(team).user, make_member(team), make_member(team)
    for member in (ada, bob):
        for role in ("admin", "member", "admin"):
            memberships.change_role(membership=member, role=role, by=owner, at=T0)
        for allowed in (True, False):
            memberships.set_billing_right(membership=member, allowed=allowed, by=owner, at=T0)

    found = Mail.objects.filter(to=ada.user.email).order_by("pk")
    assert [(mail.kind, mail.context.get("role", mail.context.get("allowed"))) for mail in found] == [
        ("role_changed", "admin"),
        ("billing_right", ""),
    ]
    memberships.end_membership(membership=ada, by=owner, at=T0)
    assert [mail.kind for mail in Mail.objects.filter(to=ada.user.email)] == ["member_removed"]
    assert Mail.objects.filter(to=bob.user.email).count() == 2


def of_a_seat(member: Membership, owner: Membership) -> Callable[[], object]:
    request = request_seat(membership=member, plan_code="max", message="", at=T0, by=member.user)
    return lambda: answer_request(request=request, granted=False, seat=None, at=T0, by=owner.user)


def of_credits(member: Membership, owner: Membership) -> Callable[[], object]:
    request = request_credits(membership=member, wanted_nanousd=None, message="", at=T0, by=member.user)
    return lambda: decline_credit_request(request=request, at=T0, by=owner.user)


@pytest.mark.parametrize("asked", [of_a_seat, of_credits])
@pytest.mark.parametrize("how", ["answered", "left"])
def test_a_request_that_was_answered_or_whose_member_left_is_mailed_to_nobody(
    asked: Callable[[Membership, Membership], Callable[[], object]], how: str
) -> None:
    scene = make_scene(at=T0)
    member, other = make_member(scene.team), make_member(scene.team)
    answer = asked(member, scene.owner)
    asked(other, scene.owner)
    kinds = ("seat_requested", "credits_requested")
    assert Mail.objects.filter(kind__in=kinds).count() == 2

    if how == "answered":
        answer()
    else:
        memberships.end_membership(membership=member, by=member.user, at=T0)

    (left,) = Mail.objects.filter(kind__in=kinds)
    assert left.context["member"] == other.user.display_name


def test_access_that_ended_again_is_not_mailed() -> None:
    scene = make_scene(at=T0)
    member, other = make_member(scene.team), make_member(scene.team)
    for one in (member, other):
        request = request_credits(membership=one, wanted_nanousd=None, message="", at=T0, by=one.user)
        grant_credit_request(
            request=request, overflow="allow", month_cap_nanousd=None, at=T0, by=scene.owner.user
        )
    assert waiting("credit_request_answered") == [member.user.email, other.user.email]

    set_credit_access(
        membership=member,
        allowed=False,
        overflow="allow",
        month_cap_nanousd=None,
        at=T0 + A_MINUTE,
        by=scene.owner.user,
    )

    assert waiting("credit_request_answered") == [other.user.email]


def test_an_invitation_of_who_may_not_invite_any_more_is_not_mailed(mailoutbox: list[EmailMessage]) -> None:
    team = make_team()
    admin = make_member(team, role="admin")
    for by in (admin.user, owner_of(team).user):
        invitations.invite(team=team, email=f"{by.pk}@example.com", role="member", by=by, at=T0)
    memberships.change_role(membership=admin, role="member", by=owner_of(team).user, at=T0)

    deliver_due(at=T0)

    invited = [message.to for message in mailoutbox if "invites you" in message.subject]
    assert invited == [[f"{owner_of(team).user_id}@example.com"]]


def names_contacts(team: Team, *emails: str) -> None:
    set_contacts(team=team, emails=emails, by=owner_of(team).user, at=T0)


def test_an_address_that_is_no_contact_any_more_gets_nothing_that_waits() -> None:
    team = make_team()
    say_payment(team, "pi_1")
    names_contacts(team, "a@example.com", "b@example.com")
    notify_payers(team=team, kind="address_needed", dedupe_key="address_needed:in_1", at=T0)

    names_contacts(team, "b@example.com")

    assert waiting("address_needed") == [owner_of(team).user.email, "b@example.com"]
    names_contacts(team)
    assert waiting("address_needed") == [owner_of(team).user.email]


def test_a_top_up_that_was_switched_on_again_is_not_said_to_be_off() -> None:
    team = make_team()
    payer = make_member(team)
    memberships.set_billing_right(membership=payer, allowed=True, by=owner_of(team).user, at=T0)

    def switch_on(by: Membership) -> None:
        set_auto_top_up(
            team=team,
            enabled=True,
            threshold_nanousd=CREDIT,
            target_nanousd=5_000 * CREDIT,
            month_cap_nanousd=5_000 * CREDIT,
            at=T0,
            by=by.user,
        )

    switch_on(payer)
    memberships.set_billing_right(membership=payer, allowed=False, by=owner_of(team).user, at=T0)
    assert begin_top_up(team=team, at=T0) is None
    assert waiting("top_up_off") == [owner_of(team).user.email]

    switch_on(owner_of(team))

    assert waiting("top_up_off") == []


SHORT = limits(10 * CENT, 100 * USD)  # the window of five hours fills, the week does not


def quota_mails() -> list[tuple[str, str, str]]:
    """What waits of windows: kind, to whom, and how full it says the window is."""
    found = Mail.objects.filter(kind__startswith="quota_", sent_at=None).order_by("pk")
    return [(mail.kind, mail.to, mail.context["percent"]) for mail in found]


@pytest.mark.parametrize(
    ("rule", "ends_at"),
    [
        (Rule(Policy.ROLLING, 5 * 3600), T0 + 5 * HOUR),
        (Rule(Policy.FIRST_USE, 5 * 3600), T0 + 5 * HOUR),
        (Rule(Policy.FIXED, 86400, MONDAY), datetime(2026, 6, 4, tzinfo=UTC)),
    ],
)
def test_of_a_window_that_is_over_by_then_nobody_is_mailed(rule: Rule, ends_at: datetime) -> None:
    scene = make_scene([Limit("window", rule, 10 * CENT)])
    scene.desk.use(9)
    send_notices(at=T0)
    mine = scene.owner.user.email
    assert quota_mails() == [("quota_80", mine, "90.00")]

    send_notices(at=ends_at - HOUR)
    assert quota_mails() == [("quota_80", mine, "90.00")]
    send_notices(at=ends_at)
    assert quota_mails() == []

    scene.desk.use(8, at=ends_at)
    send_notices(at=ends_at)
    assert quota_mails() == [("quota_80", mine, "80.00")]


def test_of_a_rolling_window_that_is_still_as_full_the_mail_says_how_full_it_is_then() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(3)
    scene.desk.use(6, at=T0 + HOUR)
    send_notices(at=T0 + HOUR)
    mine = scene.owner.user.email
    assert quota_mails() == [("quota_80", mine, "90.00")]

    scene.desk.use(2, at=T0 + 5 * HOUR)  # the first three have left the window
    send_notices(at=T0 + 5 * HOUR)

    assert quota_mails() == [("quota_80", mine, "80.00")]


def test_of_a_seat_with_a_higher_limit_or_another_holder_or_none_nobody_is_mailed_of_the_old_one() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(10)
    send_notices(at=T0)
    assert [kind for kind, *_ in quota_mails()] == ["quota_100"]

    ultra = make_plan("ultra", limits(12 * CENT, 100 * USD))
    entitle_seat(seat=scene.seat, plan=ultra, starts_at=T0, ends_at=None, source="up", at=T0, by=None)
    send_notices(at=T0 + A_MINUTE)
    assert [(kind, percent) for kind, _, percent in quota_mails()] == [("quota_80", "83.33")]

    bob = make_member(scene.team)
    move_seat(seat=scene.seat, to=bob, by=None, at=T0 + A_MINUTE)
    send_notices(at=T0 + 2 * A_MINUTE)
    assert quota_mails() == [("quota_80", bob.user.email, "83.33")]

    suspend_seat(seat=scene.seat, at=T0 + 2 * A_MINUTE, by=None)
    send_notices(at=T0 + 3 * A_MINUTE)
    assert quota_mails() == []
    resume_seat(seat=scene.seat, at=T0 + 3 * A_MINUTE, by=None)
    send_notices(at=T0 + 4 * A_MINUTE)
    assert quota_mails() == [("quota_80", bob.user.email, "83.33")]


def test_of_a_window_only_the_highest_share_that_waits_is_mailed() -> None:
    scene = make_scene(SHORT)
    for cents in (8, 2):
        scene.desk.use(cents)
        send_notices(at=T0)

    assert [kind for kind, *_ in quota_mails()] == ["quota_100"]


def test_credits_that_were_bought_meanwhile_are_not_said_to_be_low() -> None:
    team, other = make_team(), make_team()
    for one in (team, other):
        give_credits(one, CREDIT)
    send_notices(at=T0)
    owners = [owner_of(one).user.email for one in (team, other)]
    assert waiting("credits_low") == owners

    give_credits(team, 50_000 * CREDIT)
    send_notices(at=T0 + A_MINUTE)

    assert waiting("credits_low") == owners[1:]


def test_notices_that_were_sent_are_kept_and_those_that_are_so_wait_on() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(8)
    send_notices(at=T0)
    deliver_due(at=T0)
    scene.desk.use(2, at=T0 + HOUR)
    send_notices(at=T0 + HOUR)
    kept = list(Mail.objects.filter(kind__startswith="quota_").values_list("pk", "kind"))

    send_notices(at=T0 + HOUR + A_MINUTE)

    assert list(Mail.objects.filter(kind__startswith="quota_").values_list("pk", "kind")) == kept
    assert [kind for _, kind in kept] == ["quota_80", "quota_100"]
