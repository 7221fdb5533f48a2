"""What a result, and a page it leads to, says of other rows: what its reader may see, by people's words."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from teams.models import ApiKeyText, SubscriptionKey, User
from teams.services import accounts, mail, seats
from tests.helpers.admin_urls import change_url
from tests.helpers.factories import T0, make_api_key, make_scene, make_seat, make_team
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


def test_mails_and_the_audit_are_said_as_people_read_them() -> None:
    scene = make_scene()
    owner, team = scene.owner.user, scene.team
    mail.queue(kind="member_removed", to=owner.email, context={"team": "A & B"}, dedupe_key="k", at=T0)
    seats.free_seat(seat=scene.seat, reason="Ticket 7", by=None, at=T0)
    accounts.deactivate(user=owner, reason="Ticket 8", by=None, at=T0)
    client = staff(superuser=True)

    person = read(client, reverse("support-person", args=[owner.pk]))
    file = read(client, reverse("support-team", args=[team.pk]))

    assert f"You are no longer a member of A & B {owner.email} now not yet Send again" in person
    assert f"Closed the account {owner.email}. – the system Ticket 8" in person
    assert f"Took Seat 1 from {owner.email}. {team.name} the system Ticket 7" in person
    assert f"Took Seat 1 from {owner.email}. the system Ticket 7" in file
    assert "seat.freed" not in person + file


def test_the_record_of_a_charge_says_what_was_used_at_which_price_in_words() -> None:
    scene = make_scene()
    charge = scene.desk.use(530, tags=("release", "night"))

    page = read(staff(superuser=True), change_url(charge))

    assert "Model: penny Used, and at which prices: Calls: 530 at $0.01 each Price: $5.30" in page
    assert "Tags: release, night" in page
