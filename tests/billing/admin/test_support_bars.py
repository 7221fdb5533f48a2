"""The bars of a person keep themselves up to date on support's page, for whoever may see them there."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from quota.views.bars import MOST
from teams.models import Membership, User
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
    owe,
    owner_of,
)
from tests.helpers.reading import words
from tests.helpers.staff import staff

pytestmark = pytest.mark.django_db
RIGHTS = ("view_user", "view_membership", "view_usageevent")


@pytest.fixture
def scene() -> Scene:
    """A dollar in five hours, ten a week."""
    return make_scene(limits(five_hours=USD, week=10 * USD), at=T0 - timedelta(hours=1))


def page_of(user: User) -> str:
    return reverse("support-person", args=[user.pk])


def bars_of(*members: Membership, user: User | None = None) -> str:
    """What the page asks for."""
    asked = "&".join(f"of={kind}-{member.pk}" for member in members for kind in ("credits", "bar"))
    return f"{reverse('support-bars', args=[(user or members[0].user).pk])}?{asked}"


def live(html: str) -> list[str]:
    return re.findall(r'data-live="([a-z]+-\d+)"', html)


def parts_of(*members: Membership) -> list[str]:
    return [f"{kind}-{member.pk}" for member in members for kind in ("credits", "bar")]


def test_the_page_asks_for_its_bars_and_gets_what_they_are_now(scene: Scene) -> None:
    operator, url = staff(*RIGHTS), bars_of(scene.owner)
    scene.desk.use(30)
    page = operator.get(page_of(scene.owner.user)).content.decode()
    assert f'defer data-from="{url.partition("?")[0]}"></script>' in page
    assert set(parts_of(scene.owner)) <= set(live(page))
    assert 'id="bar-news" aria-live="polite"' in page
    scene.desk.use(54)

    with time_machine.travel(T0 + timedelta(seconds=4), tick=False):
        answer = operator.get(url)

    assert words(answer).startswith(
        f"Seat {scene.seat.number}, Max May use 0 of the Team’s 0 Credits 5-hour window ▲ nearly full 84%"
        " $0.16 left of $1.00 · $0.84 back in 4 h 58 min ( 15:00 UTC ) · all free by 15:00 UTC"
    )
    assert 'data-state="open is-high "' in answer.content.decode()
    assert answer.headers["X-As-Of"] == "10:02 UTC"
    assert "no-store" in answer.headers["Cache-Control"]
    known = {"If-None-Match": answer.headers["ETag"]}
    same = operator.get(url, headers=known)
    assert (same.status_code, same.content) == (304, b"")


def test_the_operator_reads_what_credits_have_paid_and_what_is_owed(scene: Scene) -> None:
    allow_credits(scene.owner)
    give_credits(scene.team, 5000 * CREDIT)
    scene.desk.use(100, at=T0 - timedelta(minutes=1))
    scene.desk.use(10, at=T0)

    answer = staff(*RIGHTS).get(bars_of(scene.owner))

    assert "5-hour window ■ on Credits since 10:02 UTC 100%" in words(answer)
    assert "May use 4,900 of the Team’s 4,900 Credits" in words(answer)
    assert 'data-state="on_credits is-credits ' in answer.content.decode()
    assert '<rect class="paid"' in answer.content.decode()


def test_of_who_may_not_use_credits_it_is_said_and_not_that_it_is_none_of_them(scene: Scene) -> None:
    give_credits(scene.team, 5000 * CREDIT)
    member = make_member(scene.team, make_user("mia@example.com"))

    answer = staff(*RIGHTS).get(bars_of(member))

    assert words(answer).startswith("No seat May not use the Team's Credits. ")


def test_the_operator_sees_the_same_bar_as_whoever_manages_the_member(scene: Scene) -> None:
    member = make_member(scene.team, make_user("mia@example.com"))
    make_seat(scene.team, scene.plan, holder=member)
    make_desk(member).use(84)
    manager = Client()
    manager.force_login(scene.owner.user)

    seen = manager.get(f"/account/bars/?of=bar-{member.pk}").content.decode()

    assert staff(*RIGHTS).get(bars_of(member)).content.decode().endswith(seen)
    owe(member)
    owed = words(staff(*RIGHTS).get(bars_of(member)))
    assert "more were used than was paid for. Until that is paid, the key is refused." in owed


def test_a_bar_as_at_a_moment_that_is_past_asks_for_nothing(scene: Scene) -> None:
    scene.desk.use(30)
    operator, page = staff(*RIGHTS), page_of(scene.owner.user)

    then = operator.get(f"{page}?at=2026-06-03T10:02").content.decode()

    assert "5-hour window" in then
    assert live(then) == []
    assert "bars.js" not in then
    assert "bars.js" in operator.get(page).content.decode()


@pytest.mark.parametrize("missing", RIGHTS)
def test_only_staff_who_may_see_the_bars_may_ask_for_them(scene: Scene, missing: str) -> None:
    url, page = bars_of(scene.owner), page_of(scene.owner.user)
    without = staff(*(right for right in RIGHTS if right != missing))

    assert without.get(url).status_code == 403
    assert reverse("support-bars", args=[scene.owner.user_id]) not in without.get(page).content.decode()
    assert staff(*RIGHTS).get(url).status_code == 200
    assert staff(*RIGHTS).post(url).status_code == 405


def test_strangers_are_sent_to_sign_in_as_from_every_page_of_the_operators(scene: Scene) -> None:
    url, stranger = bars_of(scene.owner), Client()
    assert Client().get(url).headers["Location"].startswith("/admin/login/?next=/admin/support/people/")
    stranger.force_login(scene.owner.user)
    assert stranger.get(url).headers["Location"].startswith("/admin/login/")
    assert stranger.get(url, follow=True).status_code == 403
    assert staff(*RIGHTS).get(reverse("support-bars", args=[10**6])).status_code == 404


def test_only_bars_of_that_person_are_answered_with(scene: Scene) -> None:
    operator = staff(*RIGHTS)
    another = make_member(make_team(), scene.owner.user)
    left = make_member(make_team(), scene.owner.user)
    end_membership(membership=left, by=owner_of(left.team).user, at=T0)
    strange = make_member(scene.team, make_user())
    every = (scene.owner, another, left, strange)

    answer = operator.get(bars_of(*every)).content.decode()

    assert live(answer) == parts_of(scene.owner, another)
    assert operator.get(bars_of(user=scene.owner.user)).content == b""
    of_none = "of=bar-0&" * MOST
    asked = bars_of(scene.owner).partition("?")
    assert operator.get(f"{asked[0]}?{of_none}{asked[2]}").content == b""


def test_the_statements_are_as_many_for_five_bars_as_for_one(scene: Scene) -> None:
    operator, counts = staff(*RIGHTS), []
    members = [scene.owner, *(make_member(make_team(), scene.owner.user) for _ in range(4))]
    for member in members[1:]:
        make_seat(member.team, scene.plan, holder=member)
    operator.get(bars_of(scene.owner))  # the plan's terms are read once a process
    for asked in (members[:1], members):
        with CaptureQueriesContext(connection) as caught:
            assert live(operator.get(bars_of(*asked)).content.decode()) == parts_of(*asked)
        counts.append(len(caught))
    assert counts[0] == counts[1]
