"""/invitations/accept: joining, with what was promised."""

from __future__ import annotations

import time_machine

from teams.invitation_tokens import token_of
from teams.models import SubscriptionKey
from teams.services import invitations
from teams.services.invitations import Promise
from tests.helpers import factories
from tests.helpers.api_client import person as caller
from tests.helpers.factories import T0


@time_machine.travel(T0, tick=False)
def test_an_invitation_is_accepted_once_by_the_invited_address() -> None:
    team = factories.make_team()
    owner = factories.owner_of(team).user
    invited, other = factories.make_user(), factories.make_user()
    invitation = invitations.invite(team=team, email=invited.email, role="member", by=owner, at=T0)
    token = token_of(invitation.pk, 1)
    accept = "invitations/accept"
    assert caller(other).post(accept, {"token": token}).code == "invitation_for_another_address"
    answer = caller(invited).post(accept, {"token": token})
    assert (answer.status, answer.body["slug"], answer.body["role"]) == (201, team.slug, "member")
    assert SubscriptionKey.objects.filter(membership__user=invited, team=team).count() == 1
    again = caller(invited).post(accept, {"token": token})
    assert (again.status, again.code) == (410, "invitation_not_usable")
    assert caller(invited).post(accept, {"token": "x\x00"}).code == "invalid"
    assert caller(invited).post(accept, {}).body["pointer"] == "/token"


@time_machine.travel(T0, tick=False)
def test_accepting_says_what_was_promised_and_what_came_of_it() -> None:
    team = factories.make_team()
    seat = factories.make_seat(team, factories.make_plan("max"))
    owner = factories.owner_of(team).user
    answers = []
    for promise in (
        Promise("max", gives_credits=True, month_cap_nanousd=7),
        Promise("max"),
        Promise(),
    ):
        new = factories.make_user()
        made = invitations.invite(team=team, email=new.email, role="member", by=owner, at=T0, promise=promise)
        body = caller(new).post("invitations/accept", {"token": token_of(made.pk, 1)}).body
        answers.append(body["promise"])
    assert answers == [
        {
            "plan": "max",
            "credits": True,
            "month_cap_nanousd": 7,
            "seat": seat.pk,
            "seat_requested": False,
            "credits_given": True,
            "credits_requested": False,
        },
        {
            "plan": "max",
            "credits": False,
            "month_cap_nanousd": None,
            "seat": None,
            "seat_requested": True,
            "credits_given": False,
            "credits_requested": False,
        },
        None,
    ]
