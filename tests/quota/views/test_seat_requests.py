"""The Team's inbox: requests for a seat, granted and declined."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from billing.models import Subscription
from quota.models import CreditAccess, CreditRequest, Plan
from quota.selectors.member_requests import OFFERED
from quota.services.credit_requests import decline_credit_request, grant_credit_request, request_credits
from quota.services.seat_requests import answer_request, request_seat
from teams.models import AuditEntry, Mail, Role, SeatHolding, Team, User
from teams.services.seats import assign_seat
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
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db

AsUser = Callable[[User], Client]
HOUR = timedelta(hours=1)


def test_a_request_is_granted_with_a_free_seat(as_user: AsUser) -> None:
    team = make_team("Acme")
    plus, max_plan = make_plan("plus"), make_plan("max")
    mia = make_member(team, make_user("mia@example.com"))
    old = make_seat(team, plus, holder=mia)
    better = make_seat(team, max_plan)
    row = request_seat(membership=mia, plan_code="max", message="Nightly builds", at=T0, by=mia.user)
    client = as_user(owner_of(team).user)

    inbox = client.get("/teams/acme/requests/")
    assert "mia@example.com asks for a Max seat." in words(inbox)
    assert "Nightly builds" in words(inbox)
    assert f'<option value="{better.pk}" selected>' in inbox.content.decode()
    page = submit(client, f"/teams/acme/requests/{row.pk}/", answer="grant", seat=better.pk)

    assert f"mia@example.com holds Seat {better.number} now." in page
    by = owner_of(team).user.display_name
    assert f"mia@example.com · A Max seat Seat {better.number} (Max) assigned by {by} now" in page
    assert SeatHolding.objects.current().get().seat == better
    assert SeatHolding.objects.get(seat=old).ended_at == T0
    assert Mail.objects.filter(kind="seat_request_answered").count() == 1
    answer = Mail.objects.get(kind="seat_request_answered")
    assert (answer.to, answer.context["answer"]) == ("mia@example.com", "granted")
    assert AuditEntry.objects.filter(action="seat.request_answered").count() == 1


def test_a_request_is_declined_once(as_user: AsUser) -> None:
    team = make_team("Acme")
    make_plan("max")
    mia = make_member(team, make_user("mia@example.com"))
    row = request_seat(membership=mia, plan_code="max", message="", at=T0, by=mia.user)
    client = as_user(owner_of(team).user)
    url = f"/teams/acme/requests/{row.pk}/"

    assert "You declined the request of mia@example.com." in submit(client, url, answer="decline")
    assert "This request was answered already." in submit(client, url, answer="grant")
    row.refresh_from_db()
    assert row.granted is False
    assert client.post("/teams/acme/requests/0/", {"answer": "grant"}).status_code == 404


def test_granting_without_a_seat_or_with_one_just_taken(as_user: AsUser) -> None:
    team = make_team("Acme")
    plan = make_plan("max")
    mia = make_member(team, make_user("mia@example.com"))
    taken = make_seat(team, plan, holder=owner_of(team))
    row = request_seat(membership=mia, plan_code="max", message="", at=T0, by=mia.user)
    client = as_user(owner_of(team).user)
    url = f"/teams/acme/requests/{row.pk}/"

    held = "This seat is held by another member; free it first."
    assert held in submit(client, url, answer="grant", seat=taken.pk)
    for number in ("", "999999", "9" * 30, "x"):
        page = submit(client, url, answer="grant", seat=number)
        assert "A request for a seat is granted by giving a free seat" in page
    row.refresh_from_db()
    assert (row.closed_at, row.granted) == (None, None)
    assert not Mail.objects.filter(kind="seat_request_answered").exists()


def test_without_a_free_seat_of_the_plan_the_owner_is_led_to_the_price_and_an_admin_to_the_owner(
    as_user: AsUser,
) -> None:
    team = make_team("Acme", owner=make_user("ann@example.com"))
    admin = make_member(team, role=Role.ADMIN)
    make_plan("max")
    mia = make_member(team, make_user("mia@example.com"))
    request_seat(membership=mia, plan_code="max", message="", at=T0, by=mia.user)

    to_owner = as_user(owner_of(team).user).get("/teams/acme/requests/")
    assert "No Max seat is free." in words(to_owner)
    assert "Buy a Max seat: $50.00 a month" in words(to_owner)
    assert 'href="/teams/acme/billing/subscribe/?plan=max"' in to_owner.content.decode()
    assert "Assign this seat" not in words(to_owner)

    to_admin = as_user(admin.user).get("/teams/acme/requests/")
    assert "Ask ann@example.com to buy one." in words(to_admin)
    assert "/billing/" not in to_admin.content.decode()


def test_the_way_to_a_higher_seat_says_its_price_and_what_comes_of_it(as_user: AsUser) -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"plus": 1})
    team, seat = bill.team, bill.team.seats.get()
    holds, without = make_member(team, make_user("mia@example.com")), make_member(team)
    assign_seat(seat=seat, membership=holds, by=None, at=T0)
    for member in (holds, without):
        request_seat(membership=member, plan_code="max", message="", at=T0, by=member.user)
    client, url = as_user(owner_of(team).user), f"/teams/{team.slug}/requests/"

    def cards() -> list[str]:
        return read(client, url).split("No Max seat is free.")[1:]

    of_holder, of_other = cards()
    assert of_holder.startswith(
        " You see the exact price before you confirm. Moving seat 1 grants this request."
        " If you buy a seat instead, come back here and assign it."
        " Move seat 1 to Max: $30.00 more a month Buy a Max seat: $50.00 a month Decline"
    )
    assert of_other.startswith(
        " You see the exact price before you confirm. Then come back here and assign the seat."
        " Buy a Max seat: $50.00 a month Decline"
    )
    html = client.get(url).content.decode()
    assert f'href="/teams/{team.slug}/billing/change/?kind=move&amp;plan=max&amp;seats={seat.pk}"' in html
    assert html.count(f'href="/teams/{team.slug}/billing/change/?kind=add&amp;plan=max&amp;count=1"') == 2

    Subscription.objects.update(interval="year")
    of_holder, of_other = cards()
    assert "Move seat 1 to Max: $300.00 more a year Buy a Max seat: $500.00 a year" in of_holder
    Plan.objects.filter(code="max").update(sellable=False)
    assert "Move seat 1 to Max Buy a Max seat Decline" in cards()[0]


def test_a_seat_of_another_plan_is_not_chosen_for_whoever_answers(as_user: AsUser) -> None:
    team = make_team("Acme")
    plus, max_plan, ultra = make_plan("plus"), make_plan("max"), make_plan("ultra")
    mia = make_member(team, make_user("mia@example.com"))
    make_seat(team, plus, holder=mia)
    no_better, better = make_seat(team, plus), make_seat(team, ultra)
    request_seat(membership=mia, plan_code="max", message="", at=T0, by=mia.user)

    page = as_user(owner_of(team).user).get("/teams/acme/requests/")

    html = page.content.decode()
    assert '<option value="" selected>Choose a seat of another plan</option>' in html
    assert f'<option value="{better.pk}">' in html
    assert f'<option value="{no_better.pk}"' not in html
    assert "No Max seat is free." in words(page)
    make_seat(team, max_plan)
    assert "No Max seat is free." not in read(as_user(owner_of(team).user), "/teams/acme/requests/")


def test_many_that_wait_come_in_pages_and_what_was_typed_is_on_its_own(as_user: AsUser) -> None:
    team = make_team("Acme")
    make_plan("max")
    people = [make_member(team, make_user(f"m{number:02}@example.com")) for number in range(13)]
    for member in people:
        request_seat(membership=member, plan_code="max", message="", at=T0, by=member.user)
        request_credits(membership=member, wanted_nanousd=None, message="", at=T0, by=member.user)
    client, url = as_user(owner_of(team).user), "/teams/acme/requests/"

    first, second = read(client, url), read(client, f"{url}?page=2")
    assert (first.count("asks for a Max seat"), first.count("asks for Credits")) == (13, 7)
    assert (second.count("asks for a Max seat"), second.count("asks for Credits")) == (0, 6)
    assert "m06@example.com asks for Credits" in first
    assert "m07@example.com asks for Credits" in second

    last = CreditRequest.objects.latest("pk")
    refused = client.post(
        f"{url}credits/{last.pk}/", {"answer": "grant", "overflow": "allow", "month_cap": "x"}
    )
    assert refused.status_code == 422
    assert "m12@example.com asks for Credits" in words(refused)
    assert "Give a number of Credits" in words(refused)
    assert f'rel="prev" href="{url}?page=1"' in refused.content.decode()


def test_requests_are_found_by_kind_and_by_whether_they_are_answered(as_user: AsUser) -> None:
    scene = answered_and_open()
    client, url = as_user(owner_of(scene).user), "/teams/acme/requests/"

    def found(query: str) -> list[bool]:
        """Whether there are Mia's open ones for a seat and Credits, and Bob's that were declined."""
        page = read(client, f"{url}?{query}").partition("Show")[2]
        said = ("asks for a Max seat", "asks for Credits", "· A Max seat", "· 5,000 Credits a month")
        return [text in page for text in said]

    assert found("") == found("kind=x&show=x") == [True, True, True, True]
    assert found("kind=seats") == [True, False, True, False]
    assert found("kind=credits") == [False, True, False, True]
    assert found("show=open") == [True, True, False, False]
    assert found("show=answered") == [False, False, True, True]
    assert found("show=answered&kind=credits") == [False, False, False, True]
    assert "Search 2 open requests" in read(client, url)
    assert "Search 1 open request " in read(client, f"{url}?kind=seats")
    assert "Search 1 answered request " in read(client, f"{url}?show=answered&kind=credits")
    other = as_user(owner_of(make_team("Other")).user)
    assert "No open requests. See who has no seat" in read(other, "/teams/other/requests/")
    assert "Download as CSV" not in read(other, "/teams/other/requests/")
    assert "Nothing is found. Show all" in read(other, "/teams/other/requests/?show=answered")


def answered_and_open() -> Team:
    """Bob's requests were declined, Mia's wait."""
    team = make_team("Acme", owner=make_user("ann@example.com"))
    make_plan("max")
    bob = make_member(team, make_user("bob@example.com"))
    mia = make_member(team, make_user("mia@example.com"))
    ann = owner_of(team).user
    for member in (bob, mia):
        by = member.user
        seat = request_seat(membership=member, plan_code="max", message="=1+1", at=T0, by=by)
        credits = request_credits(membership=member, wanted_nanousd=5_000 * CREDIT, message="", at=T0, by=by)
        if member == bob:
            answer_request(request=seat, granted=False, seat=None, at=T0 + HOUR, by=ann)
            decline_credit_request(request=credits, at=T0 + 2 * HOUR, by=ann)
    return team


def test_the_file_of_requests_has_what_was_asked_and_what_was_given(as_user: AsUser) -> None:
    team = answered_and_open()
    eve = make_member(team, make_user("eve@example.com"))
    ann = owner_of(team).user
    for quarter, wanted, cap in ((2, None, 2_000 * CREDIT), (3, CREDIT, None)):
        row = request_credits(membership=eve, wanted_nanousd=wanted, message="", at=T0, by=eve.user)
        overflow = "allow" if cap else "never"
        grant_credit_request(
            request=row, overflow=overflow, month_cap_nanousd=cap, at=T0 + quarter * HOUR / 4, by=ann
        )
        CreditAccess.objects.filter(membership=eve).delete()
    wanted_seat = request_seat(membership=eve, plan_code="max", message="", at=T0, by=eve.user)
    seat = make_seat(team, make_plan("plus"))
    answer_request(request=wanted_seat, granted=True, seat=seat, at=T0, by=ann)
    client = as_user(ann)

    def lines(query: str) -> list[str]:
        answer = client.get(f"/teams/acme/requests/file/?{query}")
        return [line.replace(asked, "…") for line in answer.getvalue().decode("utf-8-sig").splitlines()]

    asked = "2026-06-03 10:02:00"
    heading = (
        "Name,E-mail address,Asks for,Plan asked for,Credits a month asked for,Message,Asked (UTC),"
        'Was granted,Seat given,Plan given,"Credits a month, at most",Also when a window is full,'
        "Answered by: name,Answered by: e-mail address,Answered (UTC)"
    )
    open_ones = [
        ",mia@example.com,Seat,Max,,'=1+1,…,,,,,,,,",
        ",mia@example.com,Credits,,5000.000,,…,,,,,,,,",
    ]
    answered = [
        ",bob@example.com,Credits,,5000.000,,…,No,,,,,,ann@example.com,2026-06-03 12:02:00",
        ",bob@example.com,Seat,Max,,'=1+1,…,No,,,,,,ann@example.com,2026-06-03 11:02:00",
        ",eve@example.com,Credits,,1.000,,…,Yes,,,,No,,ann@example.com,2026-06-03 10:47:00",
        ",eve@example.com,Credits,,,,…,Yes,,,2000.000,Yes,,ann@example.com,2026-06-03 10:32:00",
        ",eve@example.com,Seat,Max,,,…,Yes,1,Plus,,,,ann@example.com,…",
    ]
    assert lines("") == [heading, *open_ones, *answered]
    assert lines("show=open&kind=credits") == [heading, open_ones[1]]
    assert lines("show=answered&kind=seats") == [heading, answered[1], answered[4]]


def test_answers_beyond_the_last_ones_come_in_pages(as_user: AsUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quota.views.seat_requests.ANSWERED_SHOWN", 1)
    team = answered_and_open()
    client, url = as_user(owner_of(team).user), "/teams/acme/requests/"

    first = client.get(f"{url}?kind=seats")
    assert "All that were answered" not in words(first)
    first = client.get(url)
    assert "5,000 Credits a month" in words(first)
    assert f'href="{url}?show=answered"' in first.content.decode()
    second = client.get(f"{url}?show=answered&page=2")
    assert "bob@example.com · A Max seat" in words(second)
    assert "5,000 Credits a month" not in words(second)
    assert f'href="{url}?show=answered&amp;page=1"' in second.content.decode()


def test_of_many_free_seats_some_are_offered(as_user: AsUser) -> None:
    team, plan = make_team("Acme"), make_plan("max")
    mia = make_member(team, make_user("mia@example.com"))
    for _number in range(OFFERED + 2):
        make_seat(team, plan)
    request_seat(membership=mia, plan_code="max", message="", at=T0, by=mia.user)

    page = as_user(owner_of(team).user).get("/teams/acme/requests/").content.decode()

    assert page.partition("Seat to give")[2].count("<option value=") == OFFERED
