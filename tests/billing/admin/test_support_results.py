"""What a result, and a page it leads to, says of other rows: what its reader may see, by people's words."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from teams.models import ApiKeyText, SubscriptionKey, User
from tests.helpers.admin_urls import change_url
from tests.helpers.factories import make_api_key, make_scene, make_seat, make_team
from tests.helpers.reading import read, words
from tests.helpers.staff import staff

pytestmark = pytest.mark.django_db
SEARCH = reverse("support-search")


def test_a_seat_has_its_number_in_its_team_and_not_its_id() -> None:
    make_seat(make_team("Earlier"))
    scene = make_scene()
    assert scene.seat.pk > scene.seat.number == 1
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))

    person = read(client, reverse("support-person", args=[scene.owner.user_id]))
    team = read(client, reverse("support-team", args=[scene.team.pk]))

    assert "Seat 1, Max" in person
    assert f"Seat {scene.seat.pk}, Max" not in person
    assert f"{scene.team.name} Owner 1, Max" in person
    assert "Owner 1, Max" in team


def test_a_seat_that_is_found_says_its_team_and_with_its_name_leads_to_the_seat() -> None:
    scene = make_scene()
    make_seat(make_team("Earlier"))
    seeing = staff("view_seat", "view_team")

    page = words(seeing.post(SEARCH, {"q": "seat 1"}))
    assert f"Seat 1 Seat · {scene.team.name}" in page
    assert "Seat 1 Seat · Earlier" in page
    one = seeing.post(SEARCH, {"q": f"{scene.team.name} #1"})
    assert one.headers["Location"] == change_url(scene.seat)
    assert scene.team.name not in words(staff("view_seat").post(SEARCH, {"q": "#1"}))
    assert "Seat 1" not in words(staff("view_team").post(SEARCH, {"q": "#1"}))


def test_a_key_says_whose_it_is_to_those_alone_who_may_see_members_and_people() -> None:
    scene = make_scene()
    key = SubscriptionKey.objects.get(membership=scene.owner)
    beginning = {"q": key.prefix[:10]}
    email = scene.owner.user.email

    bare = staff("view_subscriptionkey").post(SEARCH, beginning)
    assert key.prefix in words(bare)
    assert email not in words(bare)
    assert f'href="{change_url(key)}"' in bare.content.decode()
    member = staff("view_subscriptionkey", "view_membership").post(SEARCH, beginning)
    assert email in words(member)
    person = staff("view_subscriptionkey", "view_user").post(SEARCH, {"q": key.prefix})
    assert person.headers["Location"] == reverse("support-person", args=[scene.owner.user_id])


def test_an_api_key_says_its_team_to_those_alone_who_may_see_teams() -> None:
    scene = make_scene()
    text = ApiKeyText.objects.get(api_key=make_api_key(scene.owner, "build"))

    bare = staff("view_apikeytext").post(SEARCH, {"q": text.prefix})

    assert (bare.status_code, scene.team.name in words(bare)) == (200, False)
    assert text.prefix in words(bare)
    assert 'href=""' not in bare.content.decode()
    seen = staff("view_apikeytext", "view_team").post(SEARCH, {"q": text.prefix})
    assert seen.headers["Location"] == reverse("support-team", args=[scene.team.pk])
