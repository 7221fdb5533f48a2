"""Account / Token Plan: what each of one's Teams offers now, with exact numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from quota.models import CreditRequest, SeatRequest, UsageBucket
from quota.services.credit_requests import decline_credit_request
from quota.services.entitlements import suspend_seat
from quota.services.seat_requests import answer_request
from teams.models import Membership, Role, Team, User
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import read, submit, words
from tests.helpers.usage_rows import write_event

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


def test_the_bar_says_used_held_limit_percent_and_what_releases_when(as_user: AsUser) -> None:
    scene = make_scene(at=T0 - timedelta(hours=2))
    scene.desk.use(300, at=T0 - timedelta(hours=1))
    scene.desk.use(106, at=T0 - timedelta(minutes=20))
    scene.desk.ask(50)

    page = read(as_user(scene.owner.user), "/account/")

    assert "5-hour window 41% What comes back over the next 5 h; the most, $3.00, at 14:00 UTC" in page
    assert (
        "$5.34 left of $9.90 · $0.50 held for calls in progress · $3.00 back in 3 h 58 min ( 14:00 UTC )"
        " · all free by 15:00 UTC At the pace of the last half hour it lasts about 2 h."
    ) in page
    assert (
        "Weekly window 4% $94.44 left of $99.00 · $0.50 held for calls in progress"
        " · resets Mon 8 Jun, 00:00 UTC (in 4 days)"
    ) in page
    assert "1 agent at work. Max is made for 4 to 5 at once." in page


def test_the_bar_is_drawn_to_scale_and_speaks_to_a_screen_reader(as_user: AsUser) -> None:
    scene = make_scene()
    scene.desk.use(406)
    scene.desk.ask(50)

    page = " ".join(as_user(scene.owner.user).get("/account/").content.decode().split())

    spoken = "41 percent used, $0.50 held; $4.06 comes back at 15:00 UTC"
    assert f'aria-valuenow="46.06" aria-valuetext="{spoken}"' in page
    assert '<rect class="used" height="100%" width="41.01%">' in page
    assert '<line class="held" y1="50%" y2="50%" x1="41.01%" x2="46.06%">' in page


def test_a_full_window_says_so_and_what_can_be_done(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    scene.desk.use(100)

    page = read(as_user(scene.owner.user), "/account/")

    refused = "Stopped until 15:00 UTC. A window is full, and Credits do not pay for further calls."
    assert f"{refused} Credits They could pay for further calls, but there are none at the moment." in page
    assert "Buy Credits" in page
    assert "Wait There is room again in 4 h 58 min ( 15:00 UTC )." in page
    assert (
        f"/teams/{scene.team.slug}/credits/buy/"
        in as_user(scene.owner.user).get("/account/").content.decode()
    )

    give_credits(scene.team, 5000 * CREDIT)
    page = read(as_user(scene.owner.user), "/account/")

    paid = "A window is full: until 15:00 UTC calls are paid from Credits, of which 5,000 are left"
    assert f"{paid} for you." in page
    assert "Credits They pay for calls when a window is full: 5,000 are left for you." in page


def test_what_has_no_room_for_a_small_call_is_full_though_a_little_is_left(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    scene.desk.use(100)
    UsageBucket.objects.update(used_nanousd=USD - 99_999)
    page = read(as_user(scene.owner.user), "/account/")
    assert "Stopped until 15:00 UTC. A window is full, and Credits do not pay for further calls." in page
    assert "There is room again in 4 h 58 min ( 15:00 UTC )." in page

    UsageBucket.objects.update(used_nanousd=USD - 100_000)
    page = read(as_user(scene.owner.user), "/account/")
    assert "A window is full, and" not in page
    assert "When a window is full, this says when there is room again." in page


def test_who_may_make_no_api_key_reads_whom_to_ask_for_one(as_user: AsUser) -> None:
    member = make_member(make_team())
    address = f"/teams/{member.team.slug}/api-keys/"

    page = as_user(member.user).get("/account/").content.decode()
    assert "Ask the Owner or an Admin for one." in page
    assert address not in page

    member.team.members_make_api_keys = True
    member.team.save()
    page = as_user(member.user).get("/account/").content.decode()
    assert "Ask the Owner or an Admin for one." not in page
    assert address in page


def test_calls_under_way_that_may_need_all_credits_are_no_cap_that_is_reached(as_user: AsUser) -> None:
    team = make_team()
    member = make_member(team, credits=True)
    give_credits(team, 10 * CREDIT)
    make_scene()
    desk = make_desk(member)
    held = desk.ask(1)

    page = read(as_user(member.user), "/account/")
    assert "calls under way may need all that you can use." in page

    allow_credits(member, month_cap=10 * CREDIT)
    give_credits(team, 10 * CREDIT)
    desk.settle(held, 1)
    page = read(as_user(member.user), "/account/")
    assert "you have used all that you may use this month." in page


def test_credits_show_balance_access_cap_and_what_the_month_used(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    give_credits(scene.team, 5000 * CREDIT)
    allow_credits(scene.owner, month_cap=3000 * CREDIT)
    scene.desk.use(100)
    scene.desk.use(25)

    page = read(as_user(scene.owner.user), "/account/")

    assert "Balance of the Team 4,750 You may use them Yes" in page
    assert "Used by you this month 250 of at most 3,000 Left for you now 2,750" in page


@pytest.mark.parametrize(
    ("prepare", "words_of_the_first_way"),
    [
        (lambda m: None, "you may not use the Team's Credits"),
        (
            lambda m: allow_credits(m, overflow="never"),
            "paying from Credits when a window is full is switched off",
        ),
        (lambda m: allow_credits(m, month_cap=0), "you have used all that you may use this month"),
    ],
)
def test_a_member_without_credits_reads_why(
    as_user: AsUser, prepare: Callable[[Membership], None], words_of_the_first_way: str
) -> None:
    team = make_team()
    give_credits(team, 5000 * CREDIT)
    member = make_member(team)
    make_seat(team, holder=member)
    prepare(member)

    assert words_of_the_first_way in read(as_user(member.user), "/account/")


def test_a_key_without_seat_and_credits_says_it_has_no_usable_paid_resources(as_user: AsUser) -> None:
    page = read(as_user(make_user()), "/account/")

    assert "You hold no seat in this Team, so you have no quota." in page
    assert (
        "Calls are refused until you hold a seat with a plan, or have Credits that you may use."
        " Choose a plan (Personal) Buy Credits (Personal)"
    ) in page
    assert "Your key is real; there is nothing to spend yet." in page


def test_what_can_be_done_at_the_limit_is_said_once(as_user: AsUser) -> None:
    scene = make_scene(limits(five_hours=USD, week=10 * USD))
    scene.desk.use(100)
    client, own = as_user(scene.owner.user), Team.objects.get(default_for=scene.owner.user)
    # The Default Team has none of it; there it lies in a fold.
    for team, folds in ((scene.team, 0), (own, 1)):
        page = client.get(f"/account/?team={team.slug}").content.decode()
        assert page.count('id="limit-') == page.count(f'id="limit-{team.pk}"') == folds


def test_a_team_that_has_no_credits_shows_one_figure_and_one_that_gives_none_says_so(
    as_user: AsUser,
) -> None:
    scene = make_scene()
    mia = make_member(scene.team)
    assert "Credits Balance of the Team 0 What to do" in read(as_user(mia.user), "/account/")

    give_credits(scene.team, 5 * USD)
    page = read(as_user(mia.user), "/account/")
    assert "Credits Balance of the Team 5,000 You may use them No What to do at the limit" in page


def test_a_suspended_seat_stands_before_a_default_team_with_nothing(as_user: AsUser) -> None:
    scene = make_scene()
    suspend_seat(seat=scene.seat, at=T0, by=None)
    page = read(as_user(scene.owner.user), "/account/")
    assert page.index(f"{scene.team.name} Owner Suspended Seat 1") < page.index("Personal Owner No plan")


def test_a_suspended_seat_says_why(as_user: AsUser) -> None:
    scene = make_scene()
    suspend_seat(seat=scene.seat, at=T0, by=None)

    assert "This seat is suspended because a payment failed." in read(as_user(scene.owner.user), "/account/")


def test_teams_with_a_plan_come_first(as_user: AsUser) -> None:
    scene = make_scene()

    page = read(as_user(scene.owner.user), "/account/")

    assert page.index(scene.team.name) < page.index("Personal")


def test_an_account_made_by_a_command_gets_its_default_team_when_first_used(as_user: AsUser) -> None:
    operator = User.objects.create_superuser("root@example.com", "x")

    assert "Personal Owner" in words(as_user(operator).get("/account/", follow=True))
    assert Team.objects.filter(default_for=operator).count() == 1


def test_the_page_asks_for_the_bar_again_without_inline_script(as_user: AsUser) -> None:
    scene = make_scene()
    page = as_user(scene.owner.user).get("/account/").content.decode()

    assert 'defer data-from="/account/bars/"></script>' in page
    assert f'data-live="bar-{scene.owner.pk}"' in page
    assert f'data-live="credits-{scene.owner.pk}"' in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert "<script>" not in page


def test_a_member_asks_for_a_higher_seat_once(as_user: AsUser) -> None:
    team = make_team()
    member = make_member(team)
    plus, _ = make_plan("plus"), make_plan("max")
    make_seat(team, plus, holder=member)
    client = as_user(member.user)
    url = f"/account/seat-requests/{team.slug}/"

    assert "You hold a Plus seat." in read(client, url)
    assert 'value="plus"' not in client.get(url).content.decode()
    assert f"The Owner and the Admins of {team.name} have your request." in submit(
        client, url, plan_code="max", message="Nightly builds"
    )
    assert "Your request for a seat has not been answered yet." in read(client, "/account/")

    again = client.post(url, {"plan_code": "max", "message": "Please"})
    assert again.status_code == 422
    assert "Your earlier request still waits for an answer." in words(again)
    assert 'value="Please"' in again.content.decode()
    assert SeatRequest.objects.count() == 1


def test_who_can_grant_is_named_and_what_was_done_is_said(as_user: AsUser) -> None:
    team = make_team("Acme", owner=make_user("ann@example.com"))
    make_member(team, make_user("bob@example.com"), role=Role.ADMIN)
    member = make_member(team)
    make_plan("max")
    client = as_user(member.user)
    url = "/account/credit-requests/acme/"
    named = "Who can grant it: ann@example.com (Owner), bob@example.com (Admin)"

    assert named in read(client, url)
    assert named in read(client, "/account/seat-requests/acme/")
    submit(client, "/account/seat-requests/acme/", plan_code="max", message="")
    assert "have your request." in submit(client, url, wanted="5,000", message="")
    page = read(client, "/account/")
    assert f"A Max seat Not answered yet, asked now {named}" in page
    assert f"5,000 Credits a month Not answered yet, asked now {named}" in page
    assert "Your request for Credits has not been answered yet." in page
    waits = client.get(url)
    assert "5,000 Credits a month Not answered yet" in words(waits)
    assert "Send the request" not in words(waits)
    again = client.post(url, {"wanted": "7", "message": ""})
    assert (again.status_code, CreditRequest.objects.get().wanted_nanousd) == (422, 5_000 * CREDIT)

    by = owner_of(team).user
    decline_credit_request(request=CreditRequest.objects.get(), at=T0, by=by)
    seat = make_seat(team, make_plan("max"))
    answer_request(request=SeatRequest.objects.get(), granted=True, seat=seat, at=T0, by=by)
    page = read(client, "/account/")
    assert "5,000 Credits a month Declined by ann@example.com now" in page
    assert f"A Max seat Seat {seat.number} (Max) assigned by ann@example.com now" in page
    assert "Earlier requests A Max seat Seat" in read(client, url)


@pytest.mark.parametrize("kind", ["seat", "credit"])
def test_an_owner_has_nobody_to_ask_and_reads_so(as_user: AsUser, kind: str) -> None:
    team = make_team("Acme")
    make_plan("max")
    client = as_user(owner_of(team).user)

    page = client.get(f"/account/{kind}-requests/acme/")

    assert "You own this Team: nobody else can answer." in words(page)
    assert "Send the request" not in words(page)
    assert client.post(f"/account/{kind}-requests/acme/", {"plan_code": "max"}).status_code == 422


def test_whoever_has_all_access_has_nothing_to_ask_for(as_user: AsUser) -> None:
    team = make_team("Acme")
    member = make_member(team, credits=True)
    client = as_user(member.user)

    page = read(client, "/account/credit-requests/acme/")
    assert "You may use the Team's Credits already, without a cap." in page
    assert "Send the request" not in page
    assert "/account/credit-requests/" not in client.get("/account/").content.decode()


def test_there_is_nothing_above_the_highest_plan(as_user: AsUser) -> None:
    team = make_team()
    member = make_member(team)
    make_seat(team, make_plan("ultra"), holder=member)

    page = read(as_user(member.user), f"/account/seat-requests/{team.slug}/")

    assert "There is no higher plan than yours." in page


def test_calls_without_a_seat_are_paid_from_credits(as_user: AsUser) -> None:
    scene = make_scene()
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 10_000 * CREDIT)
    make_desk(member).use(7)

    page = read(as_user(member.user), "/account/")

    assert (
        "You hold no seat in this Team, so you have no quota. Calls are paid from Credits: 9,930 are left."
    ) in page
    assert "Balance of the Team 9,930" in page


def test_a_newcomer_reads_what_to_do_first_until_the_first_call(as_user: AsUser) -> None:
    newcomer = make_user()
    page = read(as_user(newcomer), "/account/")
    assert (
        "First steps Get something to spend. Compare plans · Buy Credits (First steps) Copy your key."
        " See the key (First steps) Set up your tool. All tools · Or curl and Python, in five minutes"
        " Make the first call. ○ Not used yet. This turns green by itself after the first call."
    ) in page

    scene = make_scene()
    address = f'hx-get="/account/key-used/{scene.team.slug}/?seen='
    html = as_user(scene.owner.user).get("/account/").content.decode()
    assert address in html
    assert "✓</span> You have something to spend: a Max seat." in html
    member = make_member(scene.team)
    assert "Get something to spend. Ask for a seat" in read(as_user(member.user), "/account/")

    scene.desk.use(1)
    assert "First steps" not in read(as_user(scene.owner.user), "/account/")
    assert "First steps" in read(as_user(member.user), "/account/")


def test_who_was_charged_in_bulk_alone_is_no_newcomer(as_user: AsUser) -> None:
    owner = owner_of(make_team())
    assert "First steps" in read(as_user(owner.user), "/account/")
    write_event(owner, 3, at=T0)
    assert "First steps" not in read(as_user(owner.user), "/account/")
