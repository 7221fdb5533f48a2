"""One's own bars are read once a request, for the page and for the switcher of Teams beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from quota.hot_path.sql import fetch_all
from quota.selectors.usage_bar import usage_bar
from quota.views.own_bars import listed_bars, own_bar, own_bars
from teams.models import Membership, User
from teams.views.base import TeamRequest
from tests.helpers.factories import T0, make_member, make_plan, make_seat, make_team, make_user

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
# Those that show one's own bars, and one that shows none.
PAGES = (
    *("/account/", "/account/?team=zoo", "/teams/acme/", "/account/tools/acme/cursor/"),
    *("/account/seat-requests/acme/", "/account/profile/"),
)


@pytest.fixture
def mia() -> User:
    """Of three Teams: her own, and two where she holds a seat."""
    user, plan = make_user("mia@example.com"), make_plan("max")
    for name in ("Acme", "Zoo"):
        member = make_member(make_team(name), user)
        make_seat(member.team, plan, holder=member)
    return user


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each statement that reads bars, of how many."""
    asked: list[int] = []

    def counted(sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        asked.append(len(params["memberships"]))
        return fetch_all(sql, params)

    monkeypatch.setattr("quota.selectors.usage_bar.fetch_all", counted)
    return asked


@pytest.mark.parametrize("page", PAGES)
def test_a_page_and_the_switcher_read_the_bars_of_all_teams_by_one_statement(
    as_user: AsUser, mia: User, statements: list[int], page: str
) -> None:
    client = as_user(mia)
    client.get(page)  # the plan's terms are read once a process
    statements.clear()

    with CaptureQueriesContext(connection) as queries:
        answer = client.get(page)

    assert (answer.status_code, statements) == (200, [3])
    lists = [query["sql"] for query in queries if '"teams_team"."default_for_id" ASC' in query["sql"]]
    assert len(lists) == 1, lists


def test_a_page_reads_the_bars_of_the_teams_that_the_switcher_lists_and_home_those_of_all(
    as_user: AsUser, mia: User, statements: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teams.views.base.LISTED_TEAMS", 1)
    client = as_user(mia)
    for page, read in {"/account/profile/": [1], "/teams/zoo/": [2], "/account/": [3]}.items():
        client.cookies.clear()
        client.force_login(mia)
        statements.clear()
        assert client.get(page).status_code == 200
        assert statements == read, page


def test_the_bars_that_the_switcher_lists_are_those_of_home(
    mia: User, statements: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("teams.views.base.LISTED_TEAMS", 2)
    request = RequestFactory().get("/")
    request.user = mia
    everything = own_bars(request, T0)
    assert listed_bars(request, T0) == everything[:2]
    assert statements == [3]


def test_who_is_in_no_team_has_no_bars_and_nothing_is_asked(statements: list[int]) -> None:
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("root@example.com", "x")
    assert own_bars(request, T0) == []
    assert statements == []


def test_who_has_just_joined_has_a_bar_though_the_replica_does_not_know_them(mia: User) -> None:
    request = cast(TeamRequest, RequestFactory().get("/"))
    request.user = mia
    own_bars(request, T0)
    request.membership = make_member(make_team(), mia)

    assert own_bar(request, T0) == usage_bar(request.membership, T0)
    request.membership = Membership.objects.get(team__slug="zoo", user=mia)
    assert own_bar(request, T0).membership == request.membership
