"""The person's profile: the name that others see, and the zone in which times are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from teams.models import User
from tests.helpers.factories import make_user
from tests.helpers.reading import submit

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
PAGE = "/account/profile/"


@pytest.fixture
def client(as_user: AsUser) -> Client:
    return as_user(make_user("ada@example.com"))


def ada() -> User:
    return User.objects.get(email="ada@example.com")


def test_the_display_name_is_changed_and_taken_away(client: Client) -> None:
    assert "You are shown as Ada Lovelace." in submit(client, PAGE, name="  Ada  Lovelace ", time_zone="UTC")
    assert ada().name == "Ada Lovelace"
    assert 'value="Ada Lovelace"' in client.get(PAGE).content.decode()

    assert "You are shown as ada@example.com." in submit(client, PAGE, name="", time_zone="UTC")
    assert ada().name == ""


@pytest.mark.parametrize("name", ["x" * 101, "a\u202eb"])
def test_a_name_that_is_refused_changes_nothing(client: Client, name: str) -> None:
    answer = client.post(PAGE, {"name": name, "time_zone": "Asia/Kolkata"})

    assert answer.status_code == 422
    assert 'id="id_name_error"' in answer.content.decode()
    assert (ada().name, ada().time_zone) == ("", "UTC")


def test_from_then_on_pages_show_the_times_of_the_chosen_zone(client: Client) -> None:
    token = {"name": "ci", "scope": "read", "expires_in_days": 7}
    client.post("/account/tokens/", token)
    assert "10 Jun 2026, 10:02:00 UTC" in client.get("/account/tokens/").content.decode()

    submit(client, PAGE, name="", time_zone="Asia/Kolkata")

    assert '<option value="Asia/Kolkata" selected>' in client.get(PAGE).content.decode()
    page = client.get("/account/tokens/").content.decode()
    assert "10 Jun 2026, 15:32" in page
    assert "All times are those of Asia/Kolkata." in page
    assert '"expires_at":"2026-06-10T10:02:00Z"' in client.get("/api/v1/me/tokens").content.decode()


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "", "utc"])
def test_a_zone_that_is_none_is_refused_and_changes_nothing(client: Client, zone: str) -> None:
    answer = client.post(PAGE, {"name": "Ada", "time_zone": zone})

    assert answer.status_code == 422
    assert 'id="id_time_zone_error"' in answer.content.decode()
    assert (ada().name, ada().time_zone) == ("", "UTC")
