"""What a Team, or a member, used: the chart, the sums below it, and what is asked for of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from quota.services.reservations import charge_lapsed_holds
from teams.models import User
from tests.helpers.factories import (
    CREDIT,
    T0,
    Scene,
    make_member,
    make_team,
    make_user,
)
from tests.helpers.hot_path import charging
from tests.helpers.reading import lines, read, words
from tests.helpers.usage_rows import write_event

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def test_the_last_thirty_days_by_member(as_user: AsUser, used: Scene) -> None:
    page = read(as_user(used.owner.user), f"/teams/{used.team.slug}/usage/")

    assert "Calls 3 Price of all $1.10 From quota $1.07 From Credits 30 Spent by day" in page
    owner = used.owner.user.email
    assert f"Spent by day {owner} $1.07 mia@example.com $0.03 Show as table" in page
    assert (
        f"Day (UTC) {owner} mia@example.com Together"
        " 3 Jun 2026 $0.07 $0.03 $0.10 1 Jun 2026 $1.00 $1.00 By member"
    ) in page
    assert f"{owner} 2 $1.07 $1.07 0 $0.00 mia@example.com 1 $0.03 $0.00 30 $0.00" in page


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_its_days_are_in_the_form_that_browsers_show_in_every_language(
    as_user: AsUser, used: Scene, language: str
) -> None:
    client = as_user(used.owner.user)
    page = client.get(f"/teams/{used.team.slug}/usage/", headers={"Accept-Language": language})
    assert re.findall(r'value="(20\d\d[^"]*)"', page.content.decode()) == ["2026-05-05", "2026-06-03"]


@pytest.mark.parametrize(
    ("query", "chart", "sums"),
    [
        ("group=model", "Day (UTC) penny 3 Jun 2026 $0.10 1 Jun 2026 $1.00", "penny 3 $1.10 $1.07 30 $0.00"),
        ("group=modality", "Day (UTC) Language 3 Jun 2026 $0.10", "Language 3 $1.10 $1.07 30 $0.00"),
        (
            "group=payer",
            "Day (UTC) Quota Credits Together 3 Jun 2026 $0.07 $0.03 $0.10 1 Jun 2026 $1.00 $1.00",
            "By model",
        ),
        (
            "by=hour&group=model&start=2026-06-01&end=2026-06-03",
            "Hour (UTC) penny 3 Jun 2026, 10:00 $0.10 1 Jun 2026, 10:00 $1.00",
            "Spent by the hour",
        ),
    ],
)
def test_the_chart_and_its_table_are_of_what_is_asked_for(
    as_user: AsUser, used: Scene, query: str, chart: str, sums: str
) -> None:
    page = read(as_user(used.owner.user), f"/teams/{used.team.slug}/usage/?{query}")

    assert chart in page
    assert sums in page


def test_overrun_and_what_nobody_reported_have_their_names(as_user: AsUser, used: Scene) -> None:
    charging(used)
    used.desk.lease(CREDIT, seconds=60)
    charge_lapsed_holds(at=T0 + timedelta(hours=1))
    used.desk.settle(used.desk.ask(1), 2_000)
    client, url = as_user(used.owner.user), f"/teams/{used.team.slug}/usage/"

    page = read(client, f"{url}?group=model")

    assert "What quota, Credits and API balance did not cover" in page
    assert "Not reported, held by a lease 1 <$0.01" in page
    assert "Not known 1 <$0.01" in read(client, f"{url}?group=modality")


def test_a_range_of_days_with_both_ends_in(as_user: AsUser, used: Scene) -> None:
    client, url = as_user(used.owner.user), f"/teams/{used.team.slug}/usage/"

    assert "Calls 1 Price of all $1.00" in read(client, f"{url}?start=2026-06-01&end=2026-06-02")
    assert "Calls 2 Price of all $0.10" in read(client, f"{url}?start=2026-06-03&end=2026-06-03")
    assert "Nothing was used in these days. Set up a tool" in read(
        client, f"{url}?start=2025-01-01&end=2025-12-31"
    )


def test_a_call_is_in_the_stack_of_each_of_its_tags_and_once_in_the_sum(as_user: AsUser, used: Scene) -> None:
    used.desk.use(5, tags=("night", "web"))
    client, url = as_user(used.owner.user), f"/teams/{used.team.slug}/usage/"

    page = read(client, f"{url}?group=tag")

    assert "Spent by day A call counts under each of its tags." in page
    assert "Without a tag 3 $1.10 $1.07 30 $0.00 night 1 $0.05 $0.05 0 $0.00 web 1 $0.05" in page
    assert "Calls 4 Price of all $1.15" in page
    assert "Calls 1 Price of all $0.05" in read(client, f"{url}?tag=web")


def test_what_is_chosen_filters_the_table_while_the_chart_shows_the_others_too(
    as_user: AsUser, used: Scene
) -> None:
    write_event(used.owner, 7_000_000, model="painter")
    client, url = as_user(used.owner.user), f"/teams/{used.team.slug}/usage/"
    whole = client.get(f"{url}?group=member&start=2026-05-30&end=2026-06-03").content.decode()
    link = "?group=member&amp;start=2026-05-30&amp;end=2026-06-03&amp;member=mia%40example.com"
    assert f'<a href="{link}">' in whole

    chosen = client.get(url + link.replace("&amp;", "&"))

    page = words(chosen)
    assert f"{used.owner.user.email} $1.0" in page
    assert "Calls 1 Price of all $0.03" in page
    assert page.endswith(
        "By member Member Calls Price From quota From Credits Overrun mia@example.com 1 $0.03 $0.00 30 $0.00"
    )
    back = "?group=member&amp;start=2026-05-30&amp;end=2026-06-03"
    assert f'<a href="{back}" aria-current="true">' in chosen.content.decode()
    assert "mia@example.com" not in read(client, f"{url}?model=painter")


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ("member=MIA", 1),
        ("member=mia@example.com", 1),
        ("member=nobody", 0),
        ("model=penny", 3),
        ("model=painter", 0),
        ("modality=language", 3),
        ("modality=image", 0),
        ("payer=credits", 3),
        ("payer=balance", 3),
    ],
)
def test_the_sums_are_of_what_the_filter_leaves(as_user: AsUser, used: Scene, query: str, calls: int) -> None:
    make_member(make_team(), make_user("mia2@example.com"))
    page = read(as_user(used.owner.user), f"/teams/{used.team.slug}/usage/?{query}")

    if calls and query != "payer=balance":
        assert f"Calls {calls} Price of all" in page
    else:
        assert "Nothing of this kind was used in these days." in page


def test_of_a_payer_the_chart_and_the_table_have_what_it_paid(as_user: AsUser, used: Scene) -> None:
    page = read(as_user(used.owner.user), f"/teams/{used.team.slug}/usage/?payer=credits&group=member")

    assert "Day (UTC) mia@example.com 3 Jun 2026 $0.03 By member" in page
    assert "Member Price From quota From Credits Overrun mia@example.com $0.03 $0.00 30 $0.00" in page


def test_one_sees_ones_own_usage_and_charges_alone(as_user: AsUser, used: Scene) -> None:
    mia = User.objects.get(email="mia@example.com")

    page = read(as_user(mia), f"/account/usage/{used.team.slug}/")

    assert "Calls 1 Price of all $0.03" in page
    assert "Day (UTC) penny 3 Jun 2026 $0.03 By model" in page
    assert "Your charges" in page
    assert "3 Jun 2026, 10:02:00 penny $0.03 $0.00 30 $0.00 Receipt" in page
    assert used.owner.user.email not in page
    theirs = read(as_user(mia), f"/account/usage/{used.team.slug}/?member={used.owner.user.email}")
    assert "Calls 1 Price of all $0.03" in theirs


@pytest.mark.parametrize(
    "query",
    [
        "start=2026-06-03&end=2026-06-01",
        "start=2025-01-01&end=2026-06-01",
        "start=x&end=",
        "start=9999-12-31&end=9999-12-31",
        "start=0001-01-01&end=0001-01-02",
        "end=2026-06-03",
        "by=hour&start=2026-05-01&end=2026-05-08",
        "by=minute",
        "group=nobody",
        "payer=me",
        "model=%00",
    ],
)
def test_a_range_that_cannot_be_says_what_to_fix(as_user: AsUser, used: Scene, query: str) -> None:
    answer = as_user(used.owner.user).get(f"/teams/{used.team.slug}/usage/?{query}")

    assert answer.status_code == 422
    assert "invalid-feedback" in answer.content.decode()
    assert "Nothing was used" not in words(answer)


@pytest.mark.parametrize("page", ["usage", "charges"])
def test_a_page_that_is_open_gets_what_is_wrong_and_keeps_what_was_chosen(
    as_user: AsUser, used: Scene, page: str
) -> None:
    """A part of it is asked for by htmx, which shows only what is answered as well."""
    url = f"/teams/{used.team.slug}/{page}/?start=2026-06-03&end=2026-06-01&model=penny"
    client = as_user(used.owner.user)

    whole, part = client.get(url), client.get(url, headers={"HX-Request": "true"})

    assert (whole.status_code, part.status_code) == (422, 200)
    for html in (whole.content.decode(), part.content.decode()):
        assert re.search(r'id="id_end_error" aria-live="polite">The range ends on or after', html)
        assert '<option value="penny" selected>penny</option>' in html
        assert 'hx-target="#used"' in html
        assert ",#id_model,#id_modality,#id_start_error:innerHTML,#id_end_error:innerHTML" in html


def test_the_link_downloads_what_is_shown_as_csv(as_user: AsUser, used: Scene) -> None:
    client, url = as_user(used.owner.user), f"/teams/{used.team.slug}/usage/"
    page = client.get(f"{url}?start=2026-06-03&end=2026-06-03&payer=credits").content.decode()
    link = "?start=2026-06-03&amp;end=2026-06-03&amp;payer=credits&amp;format=csv"
    assert f'href="{link}"' in page

    answer = client.get(url + link.replace("&amp;", "&"))

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.getvalue().decode("utf-8-sig").splitlines() == [
        "Day (UTC),Name,E-mail address,Calls,Price (USD),From quota (USD),From Credits (USD),"
        "From the API balance (USD),Overrun (USD)",
        "2026-06-03,,mia@example.com,1,0.03,0.00,0.03,0.00,0.00",
    ]


@pytest.mark.parametrize(
    ("query", "heading", "line"),
    [
        ("by=hour&group=model", "Hour (UTC),Model,", "2026-06-03 10:00:00,penny,"),
        ("group=modality", "Day (UTC),Modality,", "2026-06-03,Language,"),
        ("group=tag", "Day (UTC),Tag,", "2026-06-03,Without a tag,"),
        ("group=payer", "Day (UTC),", "2026-06-03,"),
    ],
)
def test_the_csv_names_the_hour_or_day_and_what_each_line_is_of(
    as_user: AsUser, used: Scene, query: str, heading: str, line: str
) -> None:
    url = f"/teams/{used.team.slug}/usage/?start=2026-06-03&end=2026-06-03&format=csv&{query}"

    found = lines(as_user(used.owner.user), url)

    assert found[0] == (
        f"{heading}Calls,Price (USD),From quota (USD),From Credits (USD),"
        "From the API balance (USD),Overrun (USD)"
    )
    assert found[1:] == [f"{line}2,0.10,0.07,0.03,0.00,0.00"]


def test_the_queries_do_not_grow_with_the_team(as_user: AsUser, used: Scene) -> None:
    client, url = as_user(used.owner.user), f"/teams/{used.team.slug}/usage/"
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for number in range(60):
        write_event(make_member(used.team), 10**7 + number, model=f"model {number}", tags=[f"tag {number}"])

    with CaptureQueriesContext(connection) as many:
        page = client.get(url)

    # All beyond the eight that have a colour are one more sum: the watermark, and the statement.
    assert len(many) - len(few) == 2
    assert "Others (54)" in words(page)
    assert "Next" in words(page)
    assert len(page.content) < 80_000
