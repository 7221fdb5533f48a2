"""A Team with one of each role and each kind of row, for tests that go through all addresses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing.models import Checkout
from quota.services.bulk_actions import start_inviting
from quota.services.credit_requests import request_credits
from quota.services.seat_requests import request_seat
from teams.models import Role, Team, User
from teams.services import invitations
from teams.services.memberships import set_billing_right
from tests.helpers.factories import CREDIT, T0, give_credits, make_api_key, make_desk, make_member, make_scene


@dataclass
class Made:
    """`users` by role, `rows` by kind, `events` by role."""

    team: Team
    users: dict[str, User]
    rows: dict[str, Any]
    events: dict[str, Any]


def make_rows(*, at: datetime = T0) -> Made:
    """One Team with one of each role, a payer, and one of each kind of row that an address ends in."""
    scene = make_scene(at=at - timedelta(hours=1))
    team = scene.team
    give_credits(team, 10_000 * CREDIT, at=at)
    admin = make_member(team, role=Role.ADMIN, credits=True, at=at - timedelta(hours=1))
    member = make_member(team, credits=True, at=at - timedelta(hours=1))
    spare = make_member(team, at=at)
    payer = make_member(team, credits=True, at=at - timedelta(hours=1))
    set_billing_right(membership=payer, allowed=True, by=scene.owner.user, at=at)
    people = {"owner": scene.owner, "admin": admin, "member": member, "payer": payer}
    events = {role: make_desk(membership).use(1, at=at).pk for role, membership in people.items()}
    invitation = invitations.invite(
        team=team, email="new@example.com", role=Role.MEMBER, by=scene.owner.user, at=at
    )
    credit_request = request_credits(membership=spare, wanted_nanousd=None, message="", at=at, by=spare.user)
    request = request_seat(membership=spare, plan_code="max", message="", at=at, by=spare.user)
    api_key = make_api_key(scene.owner, "batch")
    rows = {
        "api key": api_key.pk,
        "bulk action": start_inviting(team=team, lines=[], by=scene.owner.user, at=T0).pk,
        "member": spare.pk,
        "seat": scene.seat.pk,
        "invitation": invitation.pk,
        "request": request.pk,
        "credit request": credit_request.pk,
        "event": events["owner"],
        "own event": events["admin"],
        # Given up, so that nobody asks Stripe about it.
        "checkout": Checkout.objects.create(
            team=team,
            kind="subscription",
            prices={},
            text="1 × Max",
            state="expired",
            created_at=at,
            expires_at=at,
        ).pk,
    }
    users = {role: membership.user for role, membership in people.items()}
    for user in users.values():
        # Only whoever has a password can be asked for it before a key is shown.
        user.set_password("correct horse battery")
        user.save()
    return Made(team, users, rows, events)
