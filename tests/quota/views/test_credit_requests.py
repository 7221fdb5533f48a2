"""The Team's inbox: requests for Credits, granted and declined."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from quota.models import CreditRequest
from quota.selectors.credits import credit_access
from quota.services.credit_requests import request_credits
from quota.services.credits import set_team_credits
from teams.models import Mail, Membership, Role, Team, User
from tests.helpers.factories import CREDIT, T0, give_credits, make_member, make_team, make_user, owner_of
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db

AsUser = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme", owner=make_user("ann@example.com"))


@pytest.fixture
def mia(team: Team) -> Membership:
    return make_member(team, make_user("mia@example.com"))


def ask(member: Membership, wanted_nanousd: int | None = 5_000 * CREDIT) -> CreditRequest:
    return request_credits(
        membership=member, wanted_nanousd=wanted_nanousd, message="Nightly", at=T0, by=member.user
    )


def test_a_request_is_granted_with_a_cap(team: Team, mia: Membership, as_user: AsUser) -> None:
    give_credits(team, 12_000 * CREDIT)
    row = ask(mia)
    client = as_user(owner_of(team).user)

    inbox = client.get("/teams/acme/requests/")
    assert "mia@example.com asks for Credits: 5,000 a calendar month." in words(inbox)
    assert "May not use the Team's Credits today. The Team has 12,000 Credits." in words(inbox)
    assert "Nightly" in words(inbox)
    assert 'value="5,000"' in inbox.content.decode()
    url = f"/teams/acme/requests/credits/{row.pk}/"
    page = submit(client, url, answer="grant", overflow="allow", month_cap="2,000")

    assert "mia@example.com may use the Team's Credits now." in page
    given = "Access to Credits given by ann@example.com: at most 2,000 Credits a calendar month"
    assert f"5,000 Credits a month {given}, also when a window of the seat is full" in page
    assert credit_access(mia).month_cap_nanousd == 2_000 * CREDIT
    assert Mail.objects.get(kind="credit_request_answered").context["answer"] == "granted"

    again = submit(client, url, answer="grant", overflow="allow", month_cap="")
    assert "This request was answered already." in again
    assert credit_access(mia).month_cap_nanousd == 2_000 * CREDIT


def test_what_was_typed_wrongly_is_shown_again_at_its_field(
    team: Team, mia: Membership, as_user: AsUser
) -> None:
    row = ask(mia)
    url = f"/teams/acme/requests/credits/{row.pk}/"
    client = as_user(owner_of(team).user)

    for typed, why in (
        ("0", "A cap of 0 gives nothing: decline instead."),
        ("x", "Give a number of Credits"),
    ):
        page = client.post(url, {"answer": "grant", "overflow": "never", "month_cap": typed})
        assert page.status_code == 422
        assert why in words(page)
        assert f'value="{typed}"' in page.content.decode()
    row.refresh_from_db()
    assert (row.granted, credit_access(mia).allowed) == (None, False)


def test_a_request_is_declined_once(team: Team, mia: Membership, as_user: AsUser) -> None:
    row = ask(mia, None)
    client = as_user(owner_of(team).user)
    url = f"/teams/acme/requests/credits/{row.pk}/"

    assert "mia@example.com asks for Credits." in read(client, "/teams/acme/requests/")
    page = submit(client, url, answer="decline")
    assert "You declined the request of mia@example.com." in page
    assert "Access to Credits Declined by ann@example.com" in page
    assert "This request was answered already." in submit(client, url, answer="decline")
    assert client.post("/teams/acme/requests/credits/0/", {"answer": "grant"}).status_code == 404


def test_what_access_alone_does_not_do_is_said_and_who_can_change_it(
    team: Team, mia: Membership, as_user: AsUser
) -> None:
    ask(mia)
    admin = make_member(team, role=Role.ADMIN)
    set_team_credits(team=team, overflow="never", low_balance_nanousd=0, at=T0, by=None)

    to_owner = as_user(owner_of(team).user).get("/teams/acme/requests/")
    assert 'href="/teams/acme/credits/buy/"' in to_owner.content.decode()
    assert 'href="/teams/acme/credits/policy/"' in to_owner.content.decode()

    to_admin = words(as_user(admin.user).get("/teams/acme/requests/"))
    assert "Access pays for nothing while the Team has no Credits. Ask ann@example.com" in to_admin
    assert "Credits never pay when a window of a seat is full. Only ann@example.com" in to_admin
