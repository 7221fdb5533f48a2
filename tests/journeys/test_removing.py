"""An Admin removes somebody: asked once more first, then the key is refused at once and the seat is free."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from quota.errors import NoUsableResources
from teams.errors import KeyInvalid
from teams.models import Membership, Role, Seat
from tests.helpers.browsing import another_window, arrive
from tests.helpers.factories import (
    Desk,
    make_desk,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    use_test_rate_card,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people() -> dict[str, Membership]:
    """An Admin of Acme, and two members; Mia holds its seat."""
    at = timezone.now() - timedelta(hours=1)
    use_test_rate_card()
    team = make_team("Acme", owner=make_user("ann@example.com", at=at), at=at)
    roles = {"adam": Role.ADMIN, "mia": Role.MEMBER, "noah": Role.MEMBER}
    people = {
        name: make_member(team, make_user(f"{name}@example.com", at=at), role=role, at=at)
        for name, role in roles.items()
    }
    make_seat(team, make_plan("max", at=at), holder=people["mia"], at=at)
    return people


def is_refused(desk: Desk) -> bool:
    """Whether the key is, and not the call alone, for which some members have nothing to pay with."""
    try:
        desk.ask(at=timezone.now())
    except KeyInvalid:
        return True
    except NoUsableResources:
        return False
    return False


def test_one_is_removed_from_the_list_and_the_seat_is_given_on_and_back(
    browser_page: Page, live_server: LiveServer, people: dict[str, Membership]
) -> None:
    page, url, desk = browser_page, live_server.url, make_desk(people["mia"])
    main, seat = page.get_by_role("main"), Seat.objects.get()
    arrive(page, url, people["adam"].user)
    page.goto(f"{url}/teams/acme/members/")
    page.get_by_role("button", name="Change mia@example.com").click()
    page.get_by_role("link", name="Key and removal").click()
    # The question lies before the button; until it is answered, nothing has happened.
    remove = page.get_by_role("button", name="Remove mia@example.com")
    expect(remove).to_be_hidden()
    page.get_by_text("Remove from the Team…", exact=True).click()
    expect(main).to_contain_text("The key stops working at once, and the seat becomes free.")
    assert not is_refused(desk)

    with another_window(page) as other:
        arrive(other, url, people["mia"].user)
        expect(other.get_by_role("region", name="Acme")).to_be_visible()
        remove.click()
        expect(page.locator("#toasts")).to_contain_text(
            "mia@example.com is no longer a member. The key stopped working."
        )
        assert is_refused(desk)
        other.reload()
        expect(other.get_by_role("region", name="Acme")).to_have_count(0)
        assert (answer := other.goto(f"{url}/teams/acme/"))
        assert answer.status == 404

    expect(main.get_by_role("link", name="mia@example.com")).to_have_count(0)
    page.goto(f"{url}/teams/acme/seats/{seat.pk}/")
    expect(main).to_contain_text("Nobody holds this seat.")
    page.get_by_role("button", name="Give to noah@example.com").click()
    expect(main).to_contain_text("Held by noah@example.com.")
    assert make_desk(people["noah"]).ask(at=timezone.now()).plan_code == "max"
    page.get_by_role("button", name="Undo").click()
    expect(main).to_contain_text(f"Undone: Seat {seat.number} is as it was before.")
    expect(main).to_contain_text("Nobody holds this seat.")


def test_several_are_removed_at_once_after_one_question(
    browser_page: Page, live_server: LiveServer, people: dict[str, Membership]
) -> None:
    page, url = browser_page, live_server.url
    desks = {name: make_desk(people[name]) for name in ("mia", "noah", "adam")}
    main = page.get_by_role("main")
    arrive(page, url, people["adam"].user)

    def choose() -> None:
        page.goto(f"{url}/teams/acme/members/")
        for name in ("mia", "noah"):
            page.get_by_label(f"{name}@example.com", exact=True).check()
        page.get_by_label("What to do").select_option("remove")
        page.get_by_role("button", name="Go on").click()
        expect(main).to_contain_text("Their keys stop working at once, and their seats become free.")

    choose()
    page.get_by_role("link", name="Go back").click()
    page.wait_for_url(re.compile("/teams/acme/members/$"))
    assert not is_refused(desks["mia"])

    choose()
    page.get_by_role("button", name=re.compile("2 people")).click()
    expect(main.get_by_role("row")).to_have_count(3)
    assert {name: is_refused(desk) for name, desk in desks.items()} == {
        "mia": True,
        "noah": True,
        "adam": False,
    }
