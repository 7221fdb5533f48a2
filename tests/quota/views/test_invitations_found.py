"""The list of invitations: which are shown, in which state, and what its file has."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from quota.services.invitations import join
from teams.invitation_tokens import token_of
from teams.models import Invitation, Role, Team, User
from teams.services import invitations
from teams.services.invitations import Promise
from teams.services.memberships import change_role
from tests.helpers.factories import CREDIT, T0, make_member, make_plan, make_team, make_user, owner_of
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db

AsUser = Callable[[User], Client]
URL = "/teams/acme/invitations/"


@pytest.fixture
def team() -> Team:
    """With an invitation in each state."""
    team = make_team("Acme", owner=make_user("olivia@example.com"))
    owner = owner_of(team).user
    ann = make_member(team, make_user("ann@example.com"), role=Role.ADMIN)
    for hour, name in enumerate(("valid", "expired", "void", "accepted", "revoked")):
        by = ann.user if name == "void" else owner
        at = T0 - timedelta(days=8 if name == "expired" else 1, hours=hour)
        invitations.invite(team=team, email=f"{name}@example.com", role="member", by=by, at=at)
    change_role(membership=ann, role="member", by=owner, at=T0)
    accepted = Invitation.objects.get(email="accepted@example.com")
    join(token=token_of(accepted.pk, 1), by=make_user("accepted@example.com"), at=T0)
    revoked = Invitation.objects.get(email="revoked@example.com")
    invitations.revoke(invitation=revoked, by=owner, at=T0)
    return team


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def found(client: Client, query: str) -> list[str]:
    """The addresses in the table, and those in the file are the same."""
    table = client.get(f"{URL}?{query}").content.decode().partition("<tbody>")[2]
    addresses = re.findall(r'"row" class="fw-normal">([a-z]+)@', table)
    lines = client.get(f"{URL}file/?{query}").getvalue().decode("utf-8-sig").splitlines()
    assert [line.partition("@")[0].removeprefix(",") for line in lines[1:]] == addresses
    return addresses


def test_invitations_are_shown_by_the_state_they_are_in(owner: Client) -> None:
    assert found(owner, "") == found(owner, "show=x") == ["valid", "void", "expired"]
    for state in ("valid", "expired", "void", "accepted", "revoked"):
        assert found(owner, f"show={state}") == [state]
    assert found(owner, "show=accepted&q=valid") == []
    assert "Nothing is found. Show all" in read(owner, f"{URL}?show=accepted&q=valid")
    assert "1 invitation Address" in read(owner, f"{URL}?show=void")


def test_what_was_accepted_or_revoked_says_when_and_offers_nothing(owner: Client) -> None:
    accepted, revoked = owner.get(f"{URL}?show=accepted"), owner.get(f"{URL}?show=revoked")
    assert "Accepted now" in words(accepted)
    assert "Revoked now" in words(revoked)
    assert "/resend/" not in accepted.content.decode() + revoked.content.decode()
    assert 'href="/teams/acme/invitations/file/?show=revoked"' in revoked.content.decode()


def test_the_file_says_what_each_promises(team: Team, owner: Client) -> None:
    make_plan("max")
    by = owner_of(team).user
    promise = Promise("max", gives_credits=True, month_cap_nanousd=5_000 * CREDIT)
    invitations.invite(team=team, email="new@example.com", role="admin", promise=promise, by=by, at=T0)
    lines = owner.get(f"{URL}file/?q=e").getvalue().decode("utf-8-sig").splitlines()
    assert lines[:2] == [
        "Name,E-mail address,Invited by: name,Invited by: e-mail address,Role,Promised seat,May use Credits,"
        '"Credits a month, at most",Sent (UTC),Times sent,Valid until (UTC),State,Accepted or revoked (UTC)',
        ",new@example.com,,olivia@example.com,Admin,Max,Yes,5000.000,2026-06-03 10:02:00,1,"
        "2026-06-10 10:02:00,Can be accepted,",
    ]
    ended = owner.get(f"{URL}file/?show=accepted").getvalue().decode("utf-8-sig").splitlines()[1]
    assert ended == (
        ",accepted@example.com,,olivia@example.com,Member,,No,,2026-06-02 07:02:00,1,"
        "2026-06-09 07:02:00,Accepted,2026-06-03 10:02:00"
    )


def test_who_has_never_invited_anybody_sees_no_filter(as_user: AsUser) -> None:
    page = read(as_user(owner_of(make_team("Other")).user), "/teams/other/invitations/")
    assert "No open invitations. Invite people" in page
    assert "Download as CSV" not in page
