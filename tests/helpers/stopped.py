"""Somebody whose window is full and for whom no Credits pay, and whether a call is allowed all the same."""

from __future__ import annotations

import re
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Locator, Page

from quota.errors import QuotaExhausted
from quota.services.balance import give_voucher
from teams.models import Membership, Team
from teams.services.seats import assign_seat
from tests.helpers.browsing import PASSWORD
from tests.helpers.buyer import Buyer
from tests.helpers.factories import (
    USD,
    Desk,
    allow_credits,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.stripe_account import StripeAccount

STOPPED = re.compile(r"Stopped until .*\. A window is full, and Credits do not pay for further calls\.")
# Dollars in 5 hours of the plans of the next fixtures.
A_DOLLAR, PLUS = 100, 330


def team_of_ann() -> Team:
    at = timezone.now() - timedelta(hours=1)
    use_test_rate_card()
    return make_team("Acme", owner=make_user("ann@example.com", password=PASSWORD, at=at), at=at)


def stopped_member(team: Team, *, minutes_ago: int = 1) -> tuple[Membership, Desk]:
    """Mia, who has used all of a dollar."""
    at = timezone.now() - timedelta(minutes=minutes_ago)
    mia = make_member(team, make_user("mia@example.com", at=at), at=at)
    make_seat(team, make_plan("plus", limits(USD, 10 * USD), at=at), holder=mia, at=at)
    desk = make_desk(mia)
    desk.use(A_DOLLAR, at=at)
    return mia, desk


def stopped_buyer(account: StripeAccount, *, credits: bool = False) -> tuple[Team, Desk]:
    """Ann, who has bought a Plus seat for herself and used all of its window."""
    team = team_of_ann()
    Buyer(account, team).subscribe({"plus": 1})
    ann, at = owner_of(team), timezone.now()
    if not ann.holdings.current().exists():
        assign_seat(seat=team.seats.get(), membership=ann, by=None, at=at)
    if credits:
        allow_credits(ann, at=at)
    desk = make_desk(ann)
    desk.use(PLUS, at=at)
    return team, desk


def stopped_owner() -> tuple[Membership, Desk]:
    """Ann, who has used all of a dollar; her Team has another on its API balance."""
    ann, at = owner_of(team_of_ann()), timezone.now()
    make_seat(ann.team, make_plan("plus", limits(USD, 10 * USD), at=at), holder=ann, at=at)
    desk = make_desk(ann)
    desk.use(A_DOLLAR, at=at)
    give_voucher(
        team=ann.team,
        nanousd=USD,
        expires_at=at + timedelta(days=9),
        source="a test",
        reason="pilot",
        at=at,
        by=None,
    )
    return ann, desk


def bar_of(page: Page, member: Membership) -> Locator:
    return page.locator(f"[data-live=bar-{member.pk}]")


def goes_on(desk: Desk) -> bool:
    """Whether a call is allowed now."""
    try:
        desk.ask(at=timezone.now())
    except QuotaExhausted:
        return False
    return True
