"""What a Team used: by member, model, modality and day, in a range."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from quota.services.reservations import charge_lapsed_holds
from teams.models import User
from tests.helpers.factories import (
    CREDIT,
    T0,
    Scene,
)
from tests.helpers.hot_path import charging
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def test_the_last_thirty_days_added_up(as_user: AsUser, used: Scene) -> None:
    page = read(as_user(used.owner.user), f"/teams/{used.team.slug}/usage/")

    assert "Calls 3 Price of all $1.10 From quota $1.07 From Credits 30" in page
    assert f"{used.owner.user.email} 2 $1.07 $1.07 0 $0.00 mia@example.com 1 $0.03 $0.00 30 $0.00" in page
    assert "penny 3 $1.10 $1.07 30 $0.00" in page
    assert "language 3 $1.10 $1.07 30 $0.00" in page
    assert "2026-06-03 2 $0.10 $0.07 30 $0.00 2026-06-01 1 $1.00 $1.00 0 $0.00" in page


def test_overrun_and_what_nobody_reported_have_their_names(as_user: AsUser, used: Scene) -> None:
    charging(used)
    used.desk.lease(CREDIT, seconds=60)
    charge_lapsed_holds(at=T0 + timedelta(hours=1))
    used.desk.settle(used.desk.ask(1), 2_000)

    page = read(as_user(used.owner.user), f"/teams/{used.team.slug}/usage/")

    assert "What quota, Credits and API balance did not cover" in page
    assert "Not reported, held by a lease 1 $0.001" in page
    assert "Not known 1 $0.001" in page


def test_a_range_of_days_with_both_ends_in(as_user: AsUser, used: Scene) -> None:
    client, url = as_user(used.owner.user), f"/teams/{used.team.slug}/usage/"

    assert "Calls 1 Price of all $1.00" in read(client, f"{url}?start=2026-06-01&end=2026-06-02")
    assert "Calls 2 Price of all $0.10" in read(client, f"{url}?start=2026-06-03&end=2026-06-03")
    assert "Nothing was used in these days." in read(client, f"{url}?start=2025-01-01&end=2025-12-31")


def test_tags_are_added_up_where_there_are_any(as_user: AsUser, used: Scene) -> None:
    client, url = as_user(used.owner.user), f"/teams/{used.team.slug}/usage/"
    assert "By tag" not in read(client, url)

    used.desk.use(5, tags=("night", "web"))

    page = read(client, url)
    assert "By tag A call counts under each of its tags." in page
    assert "Without a tag 3 $1.10 $1.07 30 $0.00 night 1 $0.05 $0.05 0 $0.00 web 1 $0.05" in page
    assert "Calls 4 Price of all $1.15" in page


@pytest.mark.parametrize(
    "query",
    [
        "start=2026-06-03&end=2026-06-01",
        "start=2025-01-01&end=2026-06-01",
        "start=x&end=",
        "start=9999-12-31&end=9999-12-31",
        "start=0001-01-01&end=0001-01-02",
        "end=2026-06-03",
    ],
)
def test_a_range_that_cannot_be_says_what_to_fix(as_user: AsUser, used: Scene, query: str) -> None:
    answer = as_user(used.owner.user).get(f"/teams/{used.team.slug}/usage/?{query}")

    assert answer.status_code == 422
    assert "invalid-feedback" in answer.content.decode()
    assert "Nothing was used" not in words(answer)


def test_the_link_downloads_the_same_range_as_csv(as_user: AsUser, used: Scene) -> None:
    client = as_user(used.owner.user)
    page = client.get(f"/teams/{used.team.slug}/usage/?start=2026-06-03&end=2026-06-03").content.decode()
    link = page.partition(f'href="/api/v1/teams/{used.team.slug}/usage.csv?')[2].partition('"')[0]

    answer = client.get(f"/api/v1/teams/{used.team.slug}/usage.csv?{link.replace('&amp;', '&')}")

    assert answer.headers["Content-Type"].startswith("text/csv")
    lines = answer.getvalue().decode().splitlines()
    assert len(lines) == 3
    assert "mia@example.com" in lines[1] + lines[2]
