"""Home of who is in several Teams: one with all there is, of the others a compact bar, key and last use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils.timezone import now

from quota.services.entitlements import suspend_seat
from quota.services.seat_requests import request_seat
from teams.models import Membership, SubscriptionKey, User
from teams.services.keys import revoke_keys
from tests.helpers.factories import (
    CREDIT,
    T0,
    USD,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    make_user,
    owe,
)
from tests.helpers.reading import read
from tests.helpers.usage_rows import write_event

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]


@pytest.fixture
def mia() -> User:
    """With a seat in Acme and one in Zoo, of a dollar in five hours each."""
    make_scene()
    user, plan = make_user("mia@example.com"), make_plan("plus", of_limits=limits(USD, 10 * USD))
    for name in ("Acme", "Zoo"):
        member = make_member(make_team(name), user)
        make_seat(member.team, plan, holder=member)
    write_event(of(user, "Acme"), 3, at=T0)  # no newcomer
    return user


def of(user: User, name: str) -> Membership:
    return user.memberships.get(team__name=name)


def key_of(member: Membership) -> str:
    return SubscriptionKey.objects.current().get(membership=member).prefix


def others(page: str) -> str:
    return page.partition("Your other Teams ")[2]


def test_each_other_team_has_its_windows_in_short_its_key_and_its_last_use(
    as_user: AsUser, mia: User
) -> None:
    zoo, own = of(mia, "Zoo"), of(mia, "Default Team")
    make_desk(zoo).use(84, at=T0)

    with time_machine.travel(T0 + timedelta(hours=3), tick=False):
        page = read(as_user(mia), "/account/")

    assert page.startswith(
        "Home Acme Member Plus Seat 1 Usage 5-hour window 0% Nothing used. $1.00 is ready."
    )
    assert others(page) == (
        "Zoo Member Plus 5-hour 84% ▲ nearly full $0.16 left of $1.00 Weekly 8% $9.16 left of $10.00"
        f" {key_of(zoo)} last used 3 hours ago Show key (Zoo) Show all (Zoo)"
        " Personal Owner No plan Nothing to spend yet. Choose a plan (Personal)"
        f" {key_of(own)} never used Show key (Personal) Show all (Personal)"
    )


def test_the_team_that_was_opened_last_has_all_there_is_if_it_has_something_to_spend(
    as_user: AsUser, mia: User
) -> None:
    client, own = as_user(mia), of(mia, "Default Team").team.slug
    client.get("/teams/zoo/")
    assert read(client, "/account/").startswith("Home Zoo Member")
    client.get(f"/teams/{own}/")
    assert read(client, "/account/").startswith("Home Acme Member")
    give_credits(of(mia, "Default Team").team, 5 * USD)
    assert read(client, "/account/").startswith("Home Personal Owner")


def test_a_link_asks_for_all_there_is_of_one_team_and_no_other_name_changes_anything(
    as_user: AsUser, mia: User
) -> None:
    client, own = as_user(mia), of(mia, "Default Team").team.slug
    assert f'href="/account/?team={own}"' in client.get("/account/").content.decode()
    assert read(client, f"/account/?team={own}").startswith("Home Personal Owner")
    assert f'href="/account/?team={own}"' in client.get(f"/teams/{own}/").content.decode()
    for name in ("zoo-of-nobody", ""):
        assert read(client, f"/account/?team={name}").startswith("Home Acme Member")


def test_who_is_in_one_team_reads_of_no_others(as_user: AsUser) -> None:
    assert "Your other Teams" not in read(as_user(make_user()), "/account/")


def test_each_state_of_another_team_has_its_words(as_user: AsUser, mia: User) -> None:
    client, zoo = as_user(mia), of(mia, "Zoo")
    desk = make_desk(zoo)

    def said() -> str:
        return others(read(client, "/account/")).partition(" sk-cp-")[0]

    desk.use(100)
    stopped = "5-hour 100% ■ stopped until 15:00 UTC $0.00 left of $1.00 Weekly 10% $9.00 left of $10.00"
    assert said() == f"Zoo Member Plus {stopped}"
    suspend_seat(seat=zoo.holdings.get().seat, at=now(), by=None)
    assert said() == "Zoo Member Suspended Seat suspended"
    owe(zoo)
    owed = "■ $0.000000001 is owed: the key is refused until it is paid"
    assert said() == f"Zoo Member Suspended {owed} Seat suspended"


def test_what_a_member_without_a_seat_has_in_another_team_is_said_in_a_line(
    as_user: AsUser, mia: User
) -> None:
    client, member = as_user(mia), make_member(make_team("Firm"), mia)
    assert "Firm Member No plan Nothing to spend yet. Ask for a seat (Firm)" in read(client, "/account/")
    request_seat(membership=member, plan_code="plus", message="", at=T0, by=mia)
    asked = "Nothing to spend yet. Your request for a seat has not been answered yet."
    assert f"Firm Member No plan {asked}" in read(client, "/account/")

    give_credits(member.team, 5000 * CREDIT)
    paid = make_member(make_team("Rich"), mia, credits=True)
    give_credits(paid.team, 7000 * CREDIT)
    assert "Rich Member No plan Credits 7,000 sk-cp-" in read(client, "/account/")


def test_a_key_that_was_revoked_is_made_anew_from_there(as_user: AsUser, mia: User) -> None:
    zoo = of(mia, "Zoo")
    revoke_keys(membership=zoo, at=T0, by=mia)
    assert "This key was revoked and no longer works. Make a new key (Zoo) Show all (Zoo)" in read(
        as_user(mia), "/account/"
    )
