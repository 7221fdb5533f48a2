"""The Team's open invitations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.test import Client

from teams.invitation_tokens import token_of
from teams.models import Invitation, Mail, Membership, Role, SubscriptionKey, Team, User
from teams.services import invitations
from teams.services.memberships import change_role
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
    assert "No open invitations. Invite people" in read(owner, "/teams/acme/invitations/")
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
    lines = "\n".join(f"p{number}@example.com" for number in range(5001))
    answer = owner.post("/teams/acme/invitations/many/", {"lines": lines, "confirm": 1})
    assert answer.status_code == 422
    assert "These are 5001 lines; send at most 5000 at a time." in words(answer)
    assert not Invitation.objects.exists()


def test_invitations_are_found_by_a_part_of_the_address(team: Team, owner: Client) -> None:
    by = owner_of(team).user
    for name in ("mia", "noah"):
        invitations.invite(team=team, email=f"{name}@example.com", role="member", by=by, at=T0)
    page = read(owner, "/teams/acme/invitations/?q=MIA")
    assert "mia@example.com" in page
    assert "noah@example.com" not in page
    assert "Nothing is found. Show all" in read(owner, "/teams/acme/invitations/?q=zoe")


def test_an_admin_invites_members_and_the_owner_alone_an_admin(team: Team, as_user: AsUser) -> None:
    admin = as_user(make_member(team, make_user("ann@example.com"), role=Role.ADMIN).user)
    url = "/teams/acme/invitations/"
    assert 'value="admin"' not in admin.get(url).content.decode()
    assert admin.post(url, {"email": "new@example.com", "role": "admin"}).status_code == 422
    lines = {"lines": "new@example.com, admin\ntwo@example.com"}
    checked = words(admin.post(f"{url}many/", lines))
    assert "1 new@example.com Admin – Not invited Only the Owner invites somebody as Admin." in checked
    assert "Invite one person" in checked
    done = words(admin.post(f"{url}many/", {**lines, "confirm": 1}))
    assert "1 of 2 lines were invited." in done
    assert (
        "1 new@example.com Admin – Not invited To invite somebody as Admin, you need to be Owner of this"
        in done
    )
    assert [(row.email, row.role) for row in Invitation.objects.all()] == [("two@example.com", "member")]


def test_who_is_invited_by_somebody_demoted_reads_why_and_the_list_says_so(
    team: Team, owner: Client, as_user: AsUser
) -> None:
    ann = make_member(team, make_user("ann@example.com"), role=Role.ADMIN)
    made = invitations.invite(team=team, email="new@example.com", role="member", by=ann.user, at=T0)
    change_role(membership=ann, role="member", by=owner_of(team).user, at=T0)
    page = read(owner, "/teams/acme/invitations/")
    assert "No longer works Who sent it may no longer invite. Send it again in your own name" in page
    client = as_user(make_user("new@example.com"))
    answer = client.get(f"/invitations/{token_of(made.pk, 1)}/")
    assert answer.status_code == 410
    assert "Whoever sent it may no longer invite you to the Team. Ask somebody else there" in words(answer)
    submit(owner, f"/teams/acme/invitations/{made.pk}/resend/")
    assert "Who sent it may no longer invite." not in read(owner, "/teams/acme/invitations/")
    assert "You are now a member of Acme." in submit(client, f"/invitations/{token_of(made.pk, 2)}/")


def test_who_loses_the_right_between_two_lines_invites_nobody_more(
    team: Team, as_user: AsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = make_member(team, make_user("ann@example.com"), role=Role.ADMIN)
    invite = invitations.invite

    def demoted_after_the_first(**asked: Any) -> Invitation:
        made = invite(**asked)
        change_role(membership=ann, role="member", by=owner_of(team).user, at=T0)
        return made

    monkeypatch.setattr(invitations, "invite", demoted_after_the_first)
    lines = "one@example.com\ntwo@example.com\nthree@example.com"
    page = words(as_user(ann.user).post("/teams/acme/invitations/many/", {"lines": lines, "confirm": 1}))
    said = (
        "To invite people, and send again or revoke invitations, you need to be Owner or Admin of this Team."
    )
    assert "1 one@example.com Member – ✓ Invited." in page
    assert f"2 two@example.com Member – Not invited {said}" in page
    assert f"3 three@example.com Member – Not invited {said}" in page
    assert [row.email for row in Invitation.objects.all()] == ["one@example.com"]


def test_what_fails_for_one_line_stops_no_other(
    team: Team, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    invite = invitations.invite

    def fails_for_one(*, email: str, **more: Any) -> Invitation:
        made = invite(email=email, **more)
        if email == "one@example.com":
            raise ZeroDivisionError
        return made

    monkeypatch.setattr(invitations, "invite", fails_for_one)
    lines = {"lines": "one@example.com\ntwo@example.com", "confirm": 1}
    page = words(owner.post("/teams/acme/invitations/many/", lines))
    assert "1 one@example.com Member – Not invited Failed for a reason that is not known." in page
    assert "2 two@example.com Member – ✓ Invited." in page
    assert [row.email for row in Invitation.objects.all()] == ["two@example.com"]
    assert Mail.objects.filter(kind="invitation").count() == 1


def test_whoever_was_promised_a_plan_that_is_no_longer_sold_reads_so(
    team: Team, owner: Client, as_user: AsUser
) -> None:
    plan = make_plan("max")
    submit(owner, "/teams/acme/invitations/", email="new@example.com", role="member", plan="max")
    type(plan).objects.update(sellable=False)
    link = f"/invitations/{token_of(Invitation.objects.get().pk, 1)}/"
    page = submit(as_user(make_user("new@example.com")), link)
    assert "The promised Max seat could not be given: it is not sold any more. Ask for another." in page
