"""What a page asks for every few seconds: its bars and the Credits beside them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.models.signals import post_init
from django.test import Client
from django.test.utils import CaptureQueriesContext

from quota.views.bars import MOST
from teams.models import Membership, Role, User
from teams.services.memberships import end_membership
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_scene,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import words

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
URL = "/account/bars/"


@pytest.fixture
def scene() -> Scene:
    """A dollar in five hours, ten a week."""
    return make_scene(limits(five_hours=USD, week=10 * USD))


def bar_of(membership: Membership) -> str:
    return f"{URL}?of=bar-{membership.pk}"


def test_bars_and_credits_come_at_once_as_of_now_and_are_kept_nowhere(as_user: AsUser, scene: Scene) -> None:
    client, pk = as_user(scene.owner.user), scene.owner.pk
    give_credits(scene.team, 5000 * CREDIT)
    scene.desk.use(30)
    with time_machine.travel(T0 + timedelta(seconds=15), tick=False):
        response = client.get(f"{URL}?of=bar-{pk}&of=credits-{pk}")

    assert "30% $0.70 left of $1.00" in words(response)
    assert "Balance of the Team 5,000" in words(response)
    assert response.headers["X-As-Of"] == "10:02 UTC"
    assert "no-store" in response.headers["Cache-Control"]
    html = response.content.decode()
    assert html.count("data-live=") == 2
    assert "<html" not in html


def test_what_is_as_it_was_is_not_sent_again(as_user: AsUser, scene: Scene) -> None:
    client = as_user(scene.owner.user)
    scene.desk.use(30)
    first = client.get(bar_of(scene.owner))
    known = {"If-None-Match": first.headers["ETag"]}

    with time_machine.travel(T0 + timedelta(seconds=4), tick=False):
        same = client.get(bar_of(scene.owner), headers=known)
    assert (same.status_code, same.content, same.headers["X-As-Of"]) == (304, b"", "10:02 UTC")
    scene.desk.use(1)
    other = client.get(bar_of(scene.owner), headers=known)
    assert other.status_code == 200
    assert "31%" in words(other)
    assert other.headers["ETag"] != first.headers["ETag"]


def test_a_compact_bar_says_how_full_it_is_and_speaks_as_the_whole_one(as_user: AsUser, scene: Scene) -> None:
    client = as_user(scene.owner.user)
    scene.desk.use(84)

    whole = client.get(bar_of(scene.owner))
    compact = client.get(bar_of(scene.owner).replace("bar-", "compact-"))

    week = "$9.16 left of $10.00"
    assert words(compact) == f"5-hour 84% ▲ nearly full $0.16 left of $1.00 Weekly 8% {week}"
    html = compact.content.decode()
    assert html.strip().startswith(f'<div data-live="compact-{scene.owner.pk}"')
    for spoken in (
        r'data-state="[^"]+"',
        r'data-said="[^"]+"',
        r'aria-label="[^"]+ window"',
        r'aria-valuetext="[^"]+"',
    ):
        assert re.findall(spoken, html) == re.findall(spoken, whole.content.decode()) != []


def test_the_statements_are_as_many_for_ten_bars_as_for_one(as_user: AsUser, scene: Scene) -> None:
    client = as_user(scene.owner.user)
    members = [make_member(scene.team) for _ in range(9)]
    for member in members[:5]:
        make_seat(scene.team, scene.plan, holder=member)
    client.get(bar_of(scene.owner))  # the plan's terms are read once a process
    counts = []
    for asked in ([members[0]], members):
        names = "&".join(f"of=bar-{member.pk}" for member in asked)
        with CaptureQueriesContext(connection) as caught:
            assert client.get(f"{URL}?{names}").content.count(b"data-live=") == len(asked)
        counts.append(len(caught))
    # Session, user, own memberships, those asked for; and the Owners of whoever has nothing to spend. All
    # bars are one statement more, of a cursor that is not counted.
    assert counts == [4, 5]


def test_only_ones_own_bars_and_those_of_teams_that_one_manages_are_seen(
    as_user: AsUser, scene: Scene
) -> None:
    member, stranger = make_member(scene.team), make_user()
    admin = make_member(scene.team, role=Role.ADMIN)
    elsewhere = owner_of(make_team())
    names = [scene.owner, member, admin, elsewhere]
    query = "&".join(f"of=bar-{one.pk}&of=credits-{one.pk}" for one in names)

    def seen(user: User) -> list[str]:
        html = as_user(user).get(f"{URL}?{query}").content.decode()
        return [
            f"{kind} {name}"
            for name, one in zip(("owner", "member", "admin", "elsewhere"), names, strict=True)
            for kind in ("bar", "credits")
            if f'data-live="{kind}-{one.pk}"' in html
        ]

    assert seen(stranger) == []
    assert seen(member.user) == ["bar member", "credits member"]
    assert seen(admin.user) == ["bar owner", "bar member", "bar admin", "credits admin"]
    end_membership(membership=member, by=scene.owner.user, at=T0)
    assert seen(member.user) == []
    assert seen(admin.user) == ["bar owner", "bar admin", "credits admin"]


@pytest.mark.parametrize(
    "of", ["", "bar-", "bar-x", "seat-1", "bar-1 ", "bar-99999999999999999", "bar-\u0661"]
)
def test_what_is_no_part_is_answered_with_nothing(as_user: AsUser, of: str) -> None:
    answer = as_user(make_user()).get(URL, {"of": of})
    assert (answer.status_code, answer.content) == (200, b"")


def test_no_more_is_read_than_a_page_can_show(as_user: AsUser, scene: Scene) -> None:
    query = "of=bar-0&" * MOST
    assert as_user(scene.owner.user).get(f"{URL}?{query}of=bar-{scene.owner.pk}").content == b""


def test_whose_session_has_ended_is_led_to_sign_in(client: Client) -> None:
    answer = client.get(URL)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts/login/?next=/account/bars/")


def test_a_state_that_changes_brings_the_ways_out_and_a_sentence_to_be_read_aloud(
    as_user: AsUser, scene: Scene
) -> None:
    client = as_user(scene.owner.user)
    scene.desk.use(84)
    near = client.get(bar_of(scene.owner)).content.decode()
    assert 'data-state="open is-high "' in near
    assert "5-hour window: 84 percent used, nearly full; $0.84 comes back at 15:00 UTC." in near
    assert "There is room again" not in near
    scene.desk.use(16)
    full = client.get(bar_of(scene.owner))
    assert 'data-state="stopped is-full is-dimmed"' in full.content.decode()
    assert "Calls are refused until 15:00 UTC." in full.content.decode()
    assert "Wait There is room again in 4 h 58 min ( 15:00 UTC )." in words(full)


def test_who_owes_reads_how_much_and_who_can_pay_it(as_user: AsUser) -> None:
    scene = make_scene()
    member = make_member(scene.team, credits=True)
    give_credits(scene.team, 10 * CREDIT)
    desk = make_desk(member)
    desk.settle(desk.ask(1), 5)
    owed = (
        "Your calls used 40 Credits ($0.04) more than was paid for. Until that is paid, your key is refused."
        " The next Credits of the Team pay it first."
    )

    page = words(as_user(member.user).get(bar_of(member)))

    assert f"{owed} Ask {scene.owner.user.display_name} to buy Credits." in page
    assert "Calls are paid from Credits" not in page
    assert "Your key is real" not in page
    assert "owed" not in words(as_user(scene.owner.user).get(bar_of(scene.owner)))

    make_seat(scene.team, scene.plan, holder=member)
    assert owed in words(as_user(member.user).get(bar_of(member)))


def test_a_manager_reads_what_happens_to_the_member_and_no_ways_out(as_user: AsUser, scene: Scene) -> None:
    member = make_member(scene.team, make_user("mia@example.com"), credits=True)
    make_seat(scene.team, scene.plan, holder=member)
    client = as_user(scene.owner.user)
    make_desk(member).use(100)

    page = words(client.get(bar_of(member)))
    assert "Stopped until 15:00 UTC. A window is full, and Credits do not pay for further calls." in page
    assert "There is room again" not in page
    give_credits(scene.team, 5000 * CREDIT)
    page = words(client.get(bar_of(member)))
    assert "calls are paid from Credits, of which 5,000 are left for mia@example.com." in page


@pytest.mark.parametrize(
    ("credits", "access", "button", "page"),
    [
        (0, {}, "Buy Credits", "credits/buy/"),
        (5000, {"overflow": "never"}, "See Credits", "credits/"),
        (5000, {"month_cap": 0}, "Change your access", "credits/access/"),
    ],
)
def test_an_owner_who_is_stopped_is_led_to_what_lets_credits_pay(
    as_user: AsUser, scene: Scene, credits: int, access: dict[str, Any], button: str, page: str
) -> None:
    if credits:
        give_credits(scene.team, credits * CREDIT)
    allow_credits(scene.owner, **access)
    scene.desk.use(100)

    html = as_user(scene.owner.user).get(bar_of(scene.owner)).content.decode()

    assert re.search(rf'btn-primary" href="/teams/{scene.team.slug}/{page}(\d+/)?">{button}<', html)


def test_who_is_in_many_teams_is_asked_about_those_of_the_page_alone(as_user: AsUser, scene: Scene) -> None:
    client, member = as_user(scene.owner.user), make_member(scene.team)
    page = f"{bar_of(scene.owner)}&of=bar-{member.pk}"
    read: list[Membership] = []

    def note(instance: Membership, **_: object) -> None:
        read.append(instance)

    post_init.connect(note, sender=Membership)
    try:
        client.get(page)
        few = len(read)
        for _ in range(5):
            make_team(owner=scene.owner.user)
        read.clear()
        assert client.get(page).content.decode().count("data-live=") == 2
    finally:
        post_init.disconnect(note, sender=Membership)
    assert [one.pk for one in read[:2]] == [scene.owner.pk, member.pk]
    assert len(read) == few == 4
