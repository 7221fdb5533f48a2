"""The Team's open invitations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.test import Client

from teams.invitation_tokens import token_of
from teams.models import Invitation, Mail, Membership, Role, SubscriptionKey, Team, User
from teams.services import invitations
from tests.helpers.factories import (
    CREDIT,
    T0,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db


AsUser = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_inviting_sends_one_mail_and_a_second_time_says_why_not(team: Team, owner: Client) -> None:
    url = "/teams/acme/invitations/"

    assert "new@example.com is invited." in submit(owner, url, email="new@example.com", role="member")
    again = owner.post(url, {"email": "New@example.com", "role": "admin"})

    assert again.status_code == 422
    assert "This address already has an open invitation; send it again or revoke it." in words(again)
    assert 'value="New@example.com"' in again.content.decode()
    assert Mail.objects.filter(kind="invitation").count() == 1


@pytest.mark.parametrize(
    ("email", "role"), [("nonsense", "member"), ("", "member"), ("a@b.c\x00", "member"), ("a@b.co", "owner")]
)
def test_an_invitation_that_cannot_be_says_why_at_its_field(
    team: Team, owner: Client, email: str, role: str
) -> None:
    answer = owner.post("/teams/acme/invitations/", {"email": email, "role": role})

    assert answer.status_code == 422
    assert "invalid-feedback" in answer.content.decode()
    assert Invitation.objects.count() == 0


def test_sending_again_and_revoking(team: Team, owner: Client) -> None:
    submit(owner, "/teams/acme/invitations/", email="new@example.com", role="admin")
    invitation = Invitation.objects.get()
    url = f"/teams/acme/invitations/{invitation.pk}"

    assert "The earlier link no longer works." in submit(owner, f"{url}/resend/")
    assert "2 times" in read(owner, "/teams/acme/invitations/")
    assert "The invitation of new@example.com is revoked." in submit(owner, f"{url}/revoke/")
    assert "No open invitations." in read(owner, "/teams/acme/invitations/")
    assert "This invitation was accepted or revoked." in submit(owner, f"{url}/resend/")


def test_an_invitation_of_another_team_is_not_there(team: Team, owner: Client, as_user: AsUser) -> None:
    other = make_team("Globex")
    submit(
        as_user(owner_of(other).user), "/teams/globex/invitations/", email="new@example.com", role="member"
    )
    invitation = Invitation.objects.get()

    assert owner.post(f"/teams/acme/invitations/{invitation.pk}/revoke/").status_code == 404
    assert Invitation.objects.get().revoked_at is None


def test_a_default_team_offers_no_invitations(as_user: AsUser) -> None:
    user = make_user()
    slug = Team.objects.get(default_for=user).slug
    client = as_user(user)

    assert "Your Default Team is yours alone, so nobody can be invited into it." in read(
        client, f"/teams/{slug}/invitations/"
    )
    answer = client.post(f"/teams/{slug}/invitations/", {"email": "a@example.com", "role": "member"})
    assert answer.status_code == 422
    assert "This is your Default Team." in read(client, f"/teams/{slug}/settings/")


@pytest.fixture
def invitation(team: Team) -> Invitation:
    by = owner_of(team).user
    return invitations.invite(team=team, email="new@example.com", role="admin", by=by, at=T0)


@pytest.fixture
def link(invitation: Invitation) -> str:
    return f"/invitations/{token_of(invitation.pk, 1)}/"


def test_without_an_account_it_says_how_to_get_in(link: str) -> None:
    response = Client().get(link)

    assert "invites new@example.com to the Team Acme as Admin" in words(response)
    assert f"/accounts/signup/?next={link}" in response.content.decode()
    assert Client().post(link).status_code == 200
    assert Membership.objects.filter(role=Role.ADMIN).count() == 0


def test_the_invited_person_joins_with_a_key(as_user: AsUser, link: str) -> None:
    client = as_user(make_user("New@example.com"))

    assert "Accept and join" in read(client, link)
    assert "Acme Owner" not in submit(client, link)

    member = Membership.objects.get(user__email="new@example.com", team__slug="acme")
    assert member.role == Role.ADMIN
    assert SubscriptionKey.objects.filter(membership=member).count() == 1
    assert client.get(link).status_code == 410


def test_another_address_reads_which_one_is_meant(as_user: AsUser, link: str) -> None:
    client = as_user(make_user("other@example.com"))

    assert "new@example.com is not a confirmed address of your account." in read(client, link)
    assert "This invitation was sent to another e-mail address" in submit(client, link)
    assert not Membership.objects.filter(user__email="other@example.com", team__slug="acme").exists()


def test_an_address_that_is_not_confirmed_does_not_count(as_user: AsUser, link: str) -> None:
    user = make_user("new@example.com")
    EmailAddress.objects.filter(user=user).update(verified=False)

    assert "is not a confirmed address of your account" in read(as_user(user), link)


def test_old_revoked_and_made_up_links_say_ask_for_a_new_one(
    as_user: AsUser, link: str, invitation: Invitation
) -> None:
    client = as_user(make_user("new@example.com"))
    with time_machine.travel(T0 + timedelta(days=7), tick=False):
        assert Client().get(link).status_code == 410
    invitations.revoke(invitation=invitation, by=None, at=T0)

    response = client.get(link)

    assert response.status_code == 410
    assert "Ask the person who invited you for a new one." in words(response)
    assert client.get("/invitations/0000/").status_code == 410


def test_a_member_already_reads_so(as_user: AsUser, team: Team, link: str) -> None:
    user = make_user("new@example.com")
    make_member(team, user)

    assert "This person is already a member of the Team." in submit(as_user(user), link)


def test_one_invitation_promises_a_seat_and_credits(team: Team, owner: Client, as_user: AsUser) -> None:
    make_seat(team, make_plan("max"))
    url = "/teams/acme/invitations/"
    said = {"email": "new@example.com", "role": "member", "plan": "max", "month_cap": "5,000"}
    assert "new@example.com is invited." in submit(owner, url, **said)
    assert "Max seat, up to 5,000 Credits a month" in read(owner, url)
    invitation = Invitation.objects.get()
    newcomer = as_user(make_user("new@example.com"))
    link = f"/invitations/{token_of(invitation.pk, 1)}/"
    assert "You get on joining: Max seat, up to 5,000 Credits a month." in read(newcomer, link)

    page = submit(newcomer, link)

    assert "You hold Seat 1." in page
    assert "Show your key" in page


def test_whoever_joins_when_no_seat_is_free_reads_that_one_is_asked_for(
    team: Team, owner: Client, as_user: AsUser
) -> None:
    make_plan("max")
    submit(owner, "/teams/acme/invitations/", email="new@example.com", role="member", plan="max")
    assert "1 Max seat is promised, and 0 free." in read(owner, "/teams/acme/invitations/")
    link = f"/invitations/{token_of(Invitation.objects.get().pk, 1)}/"
    page = submit(as_user(make_user("new@example.com")), link)
    assert "The promised seat could not be given now. We asked the Team for one." in page
    assert "asks for a Max seat." in read(owner, "/teams/acme/requests/")


MANY = """new@example.com
bad
ann@example.com, admin
two@example.com, Max, 5000

new@example.com, admin"""


def test_many_lines_are_checked_before_anybody_is_invited(team: Team, owner: Client) -> None:
    make_plan("max")
    make_member(team, make_user("ann@example.com"))
    page = words(owner.post("/teams/acme/invitations/many/", {"lines": MANY}))
    assert "1 new@example.com Member – ✓ Will be invited." in page
    assert "2 bad – – Not invited This is not an e-mail address." in page
    assert "3 ann@example.com Admin – Not invited Is a member of this Team already." in page
    assert "4 two@example.com Member Max, up to 5,000 Credits a month ✓ Will be invited." in page
    assert "6 new@example.com – – Not invited This address stands in line 1 already." in page
    assert "1 Max seat is promised, and 0 free." in page
    assert "Invite 2 people" in page
    assert not Invitation.objects.exists()


def test_many_are_invited_each_by_itself_and_again_nobody_twice(team: Team, owner: Client) -> None:
    make_plan("max")
    make_member(team, make_user("ann@example.com"))
    url = "/teams/acme/invitations/many/"
    page = words(owner.post(url, {"lines": MANY, "confirm": 1}))
    assert "2 of 5 lines were invited." in page
    assert "3 ann@example.com Admin – Not invited This person is already a member of the Team" in page
    rows = Invitation.objects.order_by("email").values_list(
        "email", "role", "seat_plan_code", "gives_credits", "month_cap_nanousd"
    )
    assert list(rows) == [
        ("new@example.com", "member", "", False, None),
        ("two@example.com", "member", "max", True, 5000 * CREDIT),
    ]
    assert Mail.objects.filter(kind="invitation").count() == 2

    again = words(owner.post(url, {"lines": MANY, "confirm": 1}))
    assert "0 of 5 lines were invited." in again
    assert "This address already has an open invitation" in again
    checked = words(owner.post(url, {"lines": MANY}))
    assert "Is invited already: send that invitation again, or revoke it." in checked
    assert Invitation.objects.count() == 2


def test_too_many_lines_are_refused_at_their_field(team: Team, owner: Client) -> None:
    lines = "\n".join(f"p{number}@example.com" for number in range(201))
    answer = owner.post("/teams/acme/invitations/many/", {"lines": lines, "confirm": 1})
    assert answer.status_code == 422
    assert "These are 201 lines; send at most 200 at a time." in words(answer)
    assert not Invitation.objects.exists()


def test_invitations_are_found_by_a_part_of_the_address(team: Team, owner: Client) -> None:
    by = owner_of(team).user
    for name in ("mia", "noah"):
        invitations.invite(team=team, email=f"{name}@example.com", role="member", by=by, at=T0)
    page = read(owner, "/teams/acme/invitations/?q=MIA")
    assert "mia@example.com" in page
    assert "noah@example.com" not in page
    assert "No invited address has this text." in read(owner, "/teams/acme/invitations/?q=zoe")
