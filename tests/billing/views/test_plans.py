"""The plans, for everyone to compare."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from quota.models import Plan
from quota.services.plans import put_on_sale as put_plan_on_sale
from quota.windows import Limit, Policy, Rule
from teams.models import Team
from tests.helpers.catalog import load_shipped
from tests.helpers.factories import T0, USD, make_draft, make_member, make_seat, make_team, make_user
from tests.helpers.reading import read
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db


@pytest.fixture
def on_sale() -> None:
    load_shipped()


@pytest.mark.usefixtures("on_sale")
def test_a_stranger_compares_what_plans_allow_and_cost_a_month(client: Client) -> None:
    text = read(client, "/plans/")
    assert "Plus Best for some hours a day with a few agents. $20.00 a seat a month" in text
    assert (
        "Max Best for whoever works with agents all day. $50.00 a seat a month"
        " 5-hour quota $9.90 at list price"
        " Weekly quota $99.00 at list price Agents at once 4 to 5" in text
    )
    assert (
        "Ultra Best for heavy agent work: long tasks, many at once, much video."
        " $120.00 a seat a month" in text
    )
    assert text.index("Plus Best") < text.index("Max Best") < text.index("Ultra Best")


@pytest.mark.usefixtures("on_sale")
def test_the_four_ways_in_are_a_plan_credits_api_keys_and_joining_a_team(client: Client) -> None:
    text = read(client, "/plans/")
    ways = text.partition("Four ways in")[2].partition("What every plan has")[0]
    assert "A plan For regular use." in ways
    assert "Credits For now and then, or on top of a plan. Bought from $5" in ways
    assert "Pay-as-you-go For programs that must not stop at a window." in ways
    assert "Joining a Team Somebody else pays." in ways


@pytest.mark.usefixtures("on_sale")
def test_the_windows_of_all_plans_are_named_once_each_as_long_as_they_are(client: Client) -> None:
    for address in ("/plans/", "/"):
        text = read(client, address)
        assert text.count("5-hour quota: what is used of it is released little by little.") == 1
        anew = "Weekly quota: all of it is there again at once, when the window begins anew."
        assert text.count(anew) == 1

    eight_hours = Limit("8h", Rule(Policy.ROLLING, 8 * 3600), USD)
    put_plan_on_sale(plan=make_draft("mini", [eight_hours]), at=T0, by=None)
    assert "8-hour quota: what is used of it is released little by little." in read(client, "/")


@pytest.mark.usefixtures("on_sale")
def test_a_year_is_shown_with_what_it_saves(client: Client) -> None:
    text = read(client, "/plans/?interval=year")
    assert "agents all day. $500.00 a seat a year $100.00 less than twelve months" in text
    assert "a month" not in text.partition("Four ways in")[0]


@pytest.mark.usefixtures("on_sale")
def test_months_are_called_free_only_where_every_plan_gives_as_many(client: Client) -> None:
    assert "Yearly, 2 months free" in read(client, "/plans/")
    put_plan_on_sale(plan=make_draft("plus", year=210), at=T0, by=None)
    text = read(client, "/plans/")
    assert "Yearly Plus" in text
    assert "free" not in text


@pytest.mark.usefixtures("on_sale")
def test_what_makes_no_sense_shows_the_months_prices(client: Client) -> None:
    assert "agents all day. $50.00 a seat a month" in read(client, "/plans/?interval=century")


@pytest.mark.usefixtures("on_sale")
def test_a_plan_that_cannot_be_bought_is_not_shown(client: Client) -> None:
    Plan.objects.filter(code="ultra").update(sellable=False)
    text = read(client, "/plans/")
    assert "Max" in text
    assert "Ultra" not in text


def test_without_anything_on_sale_the_page_says_so(client: Client) -> None:
    assert "No plan is on sale at present." in read(client, "/plans/")


def test_plans_are_only_read(client: Client) -> None:
    assert client.post("/plans/").status_code == 405


@pytest.mark.usefixtures("on_sale")
def test_a_visitor_who_chooses_signs_up_and_comes_back_to_it(client: Client) -> None:
    html = client.get("/plans/?interval=year").content.decode()
    link = "/accounts/signup/?next=/plans/choose/%3Fplan%3Dmax%26interval%3Dyear"
    assert f'href="{link}"' in html
    assert 'value="/plans/choose/?plan=max&amp;interval=year"' in client.get(link).content.decode()


@pytest.mark.usefixtures("on_sale")
def test_with_one_team_the_choice_leads_on_with_two_it_asks_and_the_default_team_is_first(
    client: Client,
) -> None:
    ada = make_user("ada@example.com")
    client.force_login(ada)
    mine = Team.objects.get(default_for=ada).slug
    answer = client.get("/plans/choose/?plan=max&interval=year")
    assert answer.headers["Location"] == f"/teams/{mine}/billing/subscribe/?plan=max&interval=year"

    make_team("Acme", owner=ada)
    make_member(make_team("Others"), ada)
    html = client.get("/plans/choose/?plan=max&interval=year").content.decode()
    assert "Max for which Team?" in html
    assert html.index(f"/teams/{mine}/billing/subscribe/") < html.index("/teams/acme/billing/subscribe/")
    assert "/teams/others/billing/" not in html


def test_for_a_team_that_has_a_plan_the_choice_leads_to_changing_it(client: Client) -> None:
    put_on_sale()
    ada = make_user("ada@example.com")
    mine = Team.objects.get(default_for=ada)
    Bill(team=mine).say({"plus": 1})
    client.force_login(ada)

    answer = client.get("/plans/choose/?plan=max", follow=True)

    assert answer.redirect_chain == [(f"/teams/{mine.slug}/billing/?plan=max", 302)]
    assert '<option value="max" selected>Max</option>' in answer.content.decode()


@pytest.mark.usefixtures("on_sale")
def test_nobodys_choice_asks_to_sign_in(client: Client) -> None:
    answer = client.get("/plans/choose/?plan=max")
    assert answer.headers["Location"] == "/accounts/login/?next=/plans/choose/%3Fplan%3Dmax"


@pytest.mark.usefixtures("on_sale")
def test_a_holder_sees_which_plan_is_theirs_and_only_higher_ones_stand_out(client: Client) -> None:
    user = make_user(at=T0)
    client.force_login(user)
    button = re.compile(r'class="btn btn-(\S+) w-100"')
    assert button.findall(client.get("/plans/").content.decode()) == ["primary"] * 3

    team = make_team()
    make_seat(team, Plan.objects.get(code="max"), holder=make_member(team, user))
    html = client.get("/plans/").content.decode()

    assert button.findall(html) == ["outline-secondary", "outline-secondary", "primary"]
    assert "Max Your plan Best for" in read(client, "/plans/")
    assert html.count("Your plan") == 1
