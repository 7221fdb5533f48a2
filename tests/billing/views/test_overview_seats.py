"""The paid seats on a Team's billing page: a page at a time, searched, and chosen for a change."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from billing.models import PurchasedSeat
from quota.models import Plan
from teams.models import User
from teams.services.seats import assign_seat
from tests.helpers.factories import T0, make_member, make_user, owner_of
from tests.helpers.reading import lines, words
from tests.helpers.stripe_says import MONTH, Bill, put_on_sale

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def billed(**seats: int) -> Bill:
    put_on_sale()
    bill = Bill()
    bill.say(seats)
    return bill


def html_of(as_user: AsUser, bill: Bill, asked: str = "") -> str:
    client = as_user(owner_of(bill.team).user)
    return client.get(f"/teams/{bill.team.slug}/billing/{asked}").content.decode()


def boxes(html: str) -> list[str]:
    return re.findall(r'type="checkbox" name="seats" value="(\d+)"', html)


def test_seats_are_shown_20_at_a_time_and_ticks_of_other_pages_go_along(as_user: AsUser) -> None:
    bill = billed(plus=22)
    ids = [str(state.seat.pk) for state in bill.seats()]

    first = html_of(as_user, bill)
    second = html_of(as_user, bill, f"?page=2&seats={ids[0]}&seats={ids[21]}&seats=x")

    assert boxes(first) == ids[:20]
    assert 'name="page" value="2">Next</button>' in first
    assert boxes(second) == ids[20:]
    assert re.findall(r'type="hidden" name="seats" value="(\d+)"', second) == [ids[0]]
    assert re.findall(r'value="(\d+)" id="seat-\d+" checked', second) == [ids[21]]
    assert "1 seat that is not shown here is ticked too. Untick all" in " ".join(
        re.sub("<[^>]+>", "", second).split()
    )


def test_a_seat_is_found_by_its_number_its_plan_or_its_holder(as_user: AsUser) -> None:
    bill = billed(plus=42)
    third = bill.seats()[2].seat
    assign_seat(seat=third, membership=make_member(bill.team, make_user("mia@example.com")), by=None, at=T0)

    assert boxes(html_of(as_user, bill, "?q=MIA")) == [str(third.pk)]
    assert boxes(html_of(as_user, bill, "?q=3")) == [str(third.pk)]
    of_two = billed(plus=1, max=2)
    assert boxes(html_of(as_user, of_two, "?q=MAX")) == [str(row.seat.pk) for row in of_two.seats()[1:]]
    nobody = as_user(owner_of(bill.team).user).get(f"/teams/{bill.team.slug}/billing/?q=nobody")
    assert "Nothing is found. Show all seats" in words(nobody)


def test_many_seats_are_summed_up_and_changed_before_they_are_listed(as_user: AsUser) -> None:
    many, one = billed(plus=40, max=2), billed(plus=1)

    page, of_one = (
        words(as_user(owner_of(bill.team).user).get(f"/teams/{bill.team.slug}/billing/"))
        for bill in (many, one)
    )

    assert "42 seats for $900.00 a month together." in page
    places = [
        page.index(text) for text in ("Billing Change Company", "Add seats", "Move to this plan", "Seat 1")
    ]
    assert places == sorted(places)
    assert "together" not in of_one


def test_a_search_of_seats_keeps_the_invoices_filter_and_the_other_way_round(as_user: AsUser) -> None:
    bill = billed(plus=22)
    html = html_of(as_user, bill, "?q=1&page=1&state=paid&seats=3")
    kept = dict(re.findall(r'<div id="([\w-]+)-kept">(.*?)</div>', html))

    values = {part: re.findall(r'name="(\w+)" value="([^"]*)"', inputs) for part, inputs in kept.items()}
    assert values == {"paid-seats": [("state", "paid")], "found-invoices": [("q", "1"), ("page", "1")]}
    assert 'hx-select-oob="#paid-seats-file,#found-invoices-kept,#found-invoices"' in html
    assert 'hx-include="closest form"' in html


def move_of(html: str) -> tuple[str, str]:
    """The plan that is chosen beforehand, and how the button stands out."""
    form = html.partition('id="to-plan"')[2]
    options = form.partition("</select>")[0]
    chosen = re.findall(r'value="(\w*)" selected', options) or re.findall(r'value="(\w*)"', options)
    found = re.search(r'class="btn btn-(\S+)" type="submit" name="kind" value="move"', form)
    assert found
    return chosen[0], found[1]


def test_the_next_higher_plan_is_offered_and_none_to_who_has_the_highest(as_user: AsUser) -> None:
    plus, both, highest = billed(plus=1), billed(plus=1, max=1), billed(max=1)

    assert move_of(html_of(as_user, plus)) == ("max", "primary")
    assert move_of(html_of(as_user, both)) == ("max", "primary")
    assert move_of(html_of(as_user, highest)) == ("", "outline-secondary")


def test_a_plan_that_was_asked_for_is_chosen_and_stands_out_only_where_it_is_higher(as_user: AsUser) -> None:
    highest, smallest = billed(max=1), billed(plus=1)

    assert move_of(html_of(as_user, highest, "?plan=plus")) == ("plus", "outline-secondary")
    assert move_of(html_of(as_user, highest, "?plan=gone")) == ("", "outline-secondary")
    assert move_of(html_of(as_user, smallest, "?plan=plus")) == ("plus", "outline-secondary")
    assert move_of(html_of(as_user, smallest, "?plan=max")) == ("max", "primary")


def test_the_file_has_every_paid_seat_that_is_searched_for_and_what_becomes_of_it(as_user: AsUser) -> None:
    bill = billed(plus=2, max=2)
    client, url = as_user(owner_of(bill.team).user), f"/teams/{bill.team.slug}/billing/seats/file/"
    first, second, third, _ = (state.seat for state in bill.seats())
    mia = make_user("mia@example.com")
    mia.name = "=Mia"
    mia.save(update_fields=["name"])
    assign_seat(seat=first, membership=make_member(bill.team, mia), by=None, at=T0)
    PurchasedSeat.objects.filter(seat=second).update(leaves=True)
    PurchasedSeat.objects.filter(seat=third).update(next_plan=Plan.objects.get(code="plus"))

    assert lines(client, url, f"paid-seats-{bill.team.slug}.csv") == [
        "Seat,Plan,Name,E-mail address,When this period ends",
        "1,Plus,'=Mia,mia@example.com,Stays",
        "2,Plus,,,Given up",
        "3,Max,,,Becomes Plus",
        "4,Max,,,Stays",
    ]
    assert lines(client, f"{url}?q=4")[1:] == ["4,Max,,,Stays"]
    bill.say({"plus": 2, "max": 2}, cancel_at=T0 + MONTH)
    assert lines(client, f"{url}?q=mia")[1:] == ["1,Plus,'=Mia,mia@example.com,Ends"]
