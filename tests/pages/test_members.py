"""The people of a Team, as its Owner and Admins handle them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import Invitation, Mail, Membership, Role, SubscriptionKey, Team, User
from tests.helpers.factories import (
    CREDIT,
    allow_credits,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import read, told, words

pytestmark = pytest.mark.django_db
Visit = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, visit: Visit) -> Client:
    return visit(owner_of(team).user)


def test_members_are_listed_with_role_seat_key_and_credits(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))
    allow_credits(member, month_cap=5000 * CREDIT)
    seat = make_seat(team, make_plan("plus"), holder=member)
    key = SubscriptionKey.objects.get(membership=member)

    page = read(owner, "/teams/acme/members/")

    assert (
        f"mia@example.com since 3 Jun 2026 Member Seat {seat.pk} Plus {key.prefix} never used "
        "May use, up to 5,000 a month" in page
    )


def test_the_owner_changes_a_role(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))
    url = f"/teams/acme/members/{member.pk}/role/"

    assert "mia@example.com is now an Admin." in told(owner, url, role="admin")
    member.refresh_from_db()
    assert member.role == Role.ADMIN
    assert Mail.objects.filter(kind="role_changed", to="mia@example.com").count() == 1

    assert "A role is admin or member" in told(owner, url, role="owner")
    member.refresh_from_db()
    assert member.role == Role.ADMIN


def test_removing_a_member_kills_the_key(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))

    page = told(owner, f"/teams/acme/members/{member.pk}/remove/")

    assert "mia@example.com is no longer a member. The key stopped working." in page
    assert SubscriptionKey.objects.get(membership=member).revoked_at is not None
    assert owner.post(f"/teams/acme/members/{member.pk}/remove/").status_code == 404


def test_the_owner_cannot_be_removed(team: Team, owner: Client) -> None:
    page = told(owner, f"/teams/acme/members/{owner_of(team).pk}/remove/")

    assert "before transferring ownership." in page
    assert owner_of(team).ended_at is None


def test_revoking_a_members_key(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))

    page = told(owner, f"/teams/acme/members/{member.pk}/revoke-key/")

    assert "The key of mia@example.com no longer works." in page
    assert "Revoked" in page
    assert SubscriptionKey.objects.get(membership=member).revoked_at is not None


def test_handing_the_team_over(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))

    page = told(owner, f"/teams/acme/members/{member.pk}/transfer/")

    assert "mia@example.com is now the Owner. You are an Admin." in page
    assert owner_of(team) == member
    assert "is now the Owner" not in told(owner, "/teams/acme/leave/")


def test_a_member_of_another_team_is_not_there(team: Team, owner: Client) -> None:
    stranger = make_member(make_team())

    for verb in ("role", "remove", "revoke-key", "transfer"):
        assert owner.post(f"/teams/acme/members/{stranger.pk}/{verb}/").status_code == 404
    assert Membership.objects.get(pk=stranger.pk).ended_at is None


def test_leaving(team: Team, visit: Visit) -> None:
    member = make_member(team)

    page = told(visit(member.user), "/teams/acme/leave/")

    assert "You left Acme. Your key for it stopped working." in page
    member.refresh_from_db()
    assert member.ended_at is not None


def test_inviting_sends_one_mail_and_a_second_time_says_why_not(team: Team, owner: Client) -> None:
    url = "/teams/acme/invitations/"

    assert "new@example.com is invited." in told(owner, url, email="new@example.com", role="member")
    again = owner.post(url, {"email": "New@example.com", "role": "admin"})

    assert again.status_code == 422
    assert "This address already has an open invitation; send it again or revoke it." in words(again)
    assert 'value="New@example.com"' in again.content.decode()
    assert Mail.objects.filter(kind="invitation").count() == 1


@pytest.mark.parametrize(
    ("email", "role"), [("nonsense", "member"), ("", "member"), ("a@b.c\x00", "member"), ("a@b.co", "owner")]
)
def test_an_invitation_that_cannot_be_is_told_at_its_field(
    team: Team, owner: Client, email: str, role: str
) -> None:
    answer = owner.post("/teams/acme/invitations/", {"email": email, "role": role})

    assert answer.status_code == 422
    assert "invalid-feedback" in answer.content.decode()
    assert Invitation.objects.count() == 0


def test_sending_again_and_revoking(team: Team, owner: Client) -> None:
    told(owner, "/teams/acme/invitations/", email="new@example.com", role="admin")
    invitation = Invitation.objects.get()
    url = f"/teams/acme/invitations/{invitation.pk}"

    assert "The earlier link no longer works." in told(owner, f"{url}/resend/")
    assert "2 times" in read(owner, "/teams/acme/invitations/")
    assert "The invitation of new@example.com is revoked." in told(owner, f"{url}/revoke/")
    assert "No open invitations." in read(owner, "/teams/acme/invitations/")
    assert "This invitation was accepted or revoked." in told(owner, f"{url}/resend/")


def test_an_invitation_of_another_team_is_not_there(team: Team, owner: Client, visit: Visit) -> None:
    other = make_team("Globex")
    told(visit(owner_of(other).user), "/teams/globex/invitations/", email="new@example.com", role="member")
    invitation = Invitation.objects.get()

    assert owner.post(f"/teams/acme/invitations/{invitation.pk}/revoke/").status_code == 404
    assert Invitation.objects.get().revoked_at is None


def test_the_audit_log_says_who_did_what(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))
    told(owner, f"/teams/acme/members/{member.pk}/role/", role="admin")

    page = read(owner, "/teams/acme/audit/")

    who = owner_of(team).user.email
    assert f"2026-06-03 10:02:00 {who} role.changed mia@example.com" in page
    assert "before: member" in page
    assert "after: admin" in page
    assert "The system member.joined mia@example.com role: member" in page


def test_renaming_keeps_the_address(team: Team, owner: Client) -> None:
    assert "The Team is renamed." in told(owner, "/teams/acme/settings/", name="Acme & Sons")
    assert "Acme &amp; Sons" in owner.get("/teams/acme/").content.decode()

    answer = owner.post("/teams/acme/settings/", {"name": "two\nlines"})
    assert answer.status_code == 422
    team.refresh_from_db()
    assert team.name == "Acme & Sons"


def test_deleting_asks_for_the_name(team: Team, owner: Client) -> None:
    assert "Nothing was deleted" in told(owner, "/teams/acme/delete/", name="acme")
    team.refresh_from_db()
    assert team.deleted_at is None

    assert "Acme is deleted." in told(owner, "/teams/acme/delete/", name="Acme")
    assert owner.get("/teams/acme/").status_code == 404


def test_a_team_with_seats_is_not_deleted(team: Team, owner: Client) -> None:
    make_seat(team)

    assert "The Team still has seats that are paid for" in told(owner, "/teams/acme/delete/", name="Acme")
    assert owner.get("/teams/acme/").status_code == 200


def test_creating_a_team_makes_its_owner_and_key(visit: Visit) -> None:
    user = make_user()

    page = told(visit(user), "/new-team/", name="Initech")

    owner = Membership.objects.get(team__slug="initech")
    assert (owner.user, owner.role) == (user, Role.OWNER)
    assert SubscriptionKey.objects.filter(membership=owner).count() == 1
    assert "Members 1" in page

    assert visit(user).post("/new-team/", {"name": " "}).status_code == 422
    assert "Create a Team" in read(visit(user), "/new-team/")


def test_a_default_team_offers_no_invitations(visit: Visit) -> None:
    user = make_user()
    slug = Team.objects.get(default_for=user).slug
    client = visit(user)

    assert "Your Default Team is yours alone, so nobody can be invited into it." in read(
        client, f"/teams/{slug}/invitations/"
    )
    answer = client.post(f"/teams/{slug}/invitations/", {"email": "a@example.com", "role": "member"})
    assert answer.status_code == 422
    assert "This is your Default Team." in read(client, f"/teams/{slug}/settings/")
