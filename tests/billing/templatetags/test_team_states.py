"""The switcher of Teams: what one may use in each, and whether calls are answered there now."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils.timezone import now

from billing.models import Subscription
from billing.templatetags.team_states import dot_of
from quota.selectors.usage_bar import usage_bar
from quota.services.entitlements import suspend_seat
from teams.models import Membership, User
from teams.services.seats import assign_seat
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    make_user,
    owe,
    owner_of,
)
from tests.helpers.page_fixtures import as_user, at_t0
from tests.helpers.stripe_says import Bill, put_on_sale

__all__ = ["as_user", "at_t0"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    """A dollar in five hours, ten a week."""
    return make_scene(limits(five_hours=USD, week=10 * USD))


def dot(membership: Membership) -> str:
    return dot_of(usage_bar(membership, now()))


def test_a_seat_is_fine_then_nearly_full_then_stopped_or_on_credits(scene: Scene) -> None:
    assert dot(scene.owner) == "fine"
    scene.desk.use(79)
    assert dot(scene.owner) == "fine"
    scene.desk.use(1)
    assert dot(scene.owner) == "near"
    scene.desk.use(20)
    assert dot(scene.owner) == "stopped"
    give_credits(scene.team, 500 * CREDIT)
    allow_credits(scene.owner)
    assert dot(scene.owner) == "credits"


def test_a_suspended_seat_and_what_is_owed_come_first(scene: Scene) -> None:
    owe(scene.owner)
    assert dot(scene.owner) == "stopped"
    suspend_seat(seat=scene.seat, at=now(), by=None)
    assert dot(scene.owner) == "suspended"


def test_without_a_seat_credits_are_fine_and_nothing_has_no_dot(scene: Scene) -> None:
    member = make_member(scene.team, credits=True)
    assert dot(member) == ""
    give_credits(scene.team, 500 * CREDIT)
    assert dot(member) == "fine"


def test_the_switcher_says_plan_and_state_of_each_team(
    scene: Scene, as_user: Callable[[User], Client]
) -> None:
    mia = make_user("mia@example.com")
    member = make_member(make_team("Acme"), mia)
    make_seat(member.team, make_plan("max"), holder=member)
    make_member(scene.team, mia)
    html = as_user(mia).get("/teams/acme/").content.decode()
    items = html.partition('id="switcher-teams"')[2].partition("</div>")[0]
    texts = [" ".join(re.sub(r"<[^>]+>", "", item).split()) for item in items.split("</a>")[:-1]]
    assert [text.removeprefix("> ") for text in texts] == [
        "Personal No seat",
        "Acme Member · Max, fine",
        f"{scene.team.name} Member · No seat",
    ]
    assert re.findall(r'<span class="team-dot([^"]*)"', items) == ["", " is-fine", ""]
    assert '<span class="switcher-name">Acme</span><span class="visually-hidden">, fine</span>' in html


def test_who_pays_sees_that_a_payment_is_overdue_unless_calls_are_stopped(
    as_user: Callable[[User], Client],
) -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 1})
    owner = owner_of(bill.team)
    assign_seat(seat=bill.team.seats.get(), membership=owner, by=None, at=T0)
    admin = make_member(bill.team, role="admin")
    page = f"/teams/{bill.team.slug}/"

    def dots(user: User) -> str:
        return (
            as_user(user).get(page).content.decode().partition('id="sidebar"')[2].partition("</summary>")[0]
        )

    assert ", fine</span>" in dots(owner.user)
    Subscription.objects.update(past_due_since=T0)

    assert '<span class="team-dot is-overdue"' in dots(owner.user)
    assert ", payment overdue</span>" in dots(owner.user)
    assert "overdue" not in dots(admin.user)
    assert dot_of(usage_bar(owner, now()), is_overdue=True) == "overdue"
    owe(owner)
    assert dot_of(usage_bar(owner, now()), is_overdue=True) == "stopped"
