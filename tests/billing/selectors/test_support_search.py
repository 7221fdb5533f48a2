"""One line of text, and what it names."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.db.models import Model

from billing.models import Customer, Invoice
from billing.selectors.support_search import MOST, Hit, find, public_part
from quota.errors import ModelUnknown
from quota.models import RefusedCall, Reservation, UsageEvent
from quota.services.refusals import remember_refusal
from teams.models import ApiKeyText, Seat, SubscriptionKey
from teams.services import access_tokens, keys, seats
from tests.helpers.bought import make_customer
from tests.helpers.factories import (
    T0,
    Scene,
    forged_key_of,
    make_api_key,
    make_member,
    make_scene,
    make_team,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    scene = make_scene()
    make_member(make_team("Globex"))
    return scene


def found(text: str, *hidden: type[Model]) -> list[tuple[Model, bool]]:
    return [(hit.row, hit.exact) for hit in find(text, lambda model: model not in hidden)]


def test_a_person_is_found_by_any_address_a_name_or_a_part_of_either() -> None:
    ada, adam = make_user("ada@example.com"), make_user("adam@example.com")
    ada.name = "Ada Lovelace"
    ada.save()
    EmailAddress.objects.create(user=ada, email="countess@old.example", verified=False)

    assert found("ADA@example.com") == [(ada, True)]
    assert found("countess@old.example") == [(ada, True)]
    assert found("ada lovelace") == [(ada, True)]
    assert found("ada") == [(ada, False), (adam, False)]
    assert found("lovel") == [(ada, False)]
    assert found("a") == []
    pat = make_user("pat-ty@example.com")
    assert found("pat-ty@example.com") == [(pat, True)]
    assert found("pat-ty@e") == [(pat, False)]
    assert found("nobody@example.com") == []


def test_a_team_is_found_by_slug_or_name_and_no_default_team_by_its_name(scene: Scene) -> None:
    globex = make_team("Globex Asia")

    assert found("globex-asia") == [(globex, True)]
    assert found("globex asia") == [(globex, True)]
    assert [exact for _, exact in found("globex")] == [True, False]
    assert found("Default Team") == []
    assert found(scene.owner.user.default_team.slug)[0] == (scene.owner.user.default_team, True)


def test_a_seat_is_found_by_the_number_that_people_read_and_the_name_of_its_team(scene: Scene) -> None:
    asia, west = make_team("Globex Asia"), make_team("Globex West")
    eu = seats.add_seat(team=make_team("Inland (EU)"), by=None, at=T0)
    first, second = seats.add_seats(team=asia, count=2, by=None, at=T0)
    other = seats.add_seat(team=west, by=None, at=T0)
    assert second.pk != second.number == 2

    for text in (
        "seat 2 globex asia",
        "Seat 2, Globex Asia",
        "globex-asia seat 2",
        "Globex Asia #2",
        "#2 of globex-asia",
        "seat #2 in Globex Asia",
        "Globex Asia 的席位 2",
        "席位2，Globex Asia",
    ):
        assert found(text) == [(second, True)], text
    assert found("Inland (EU), seat 1") == [(eu, True)]
    assert found("seat 1 globex") == [(first, False), (other, False)]
    assert found("seat 2") == found("#2") == found("席位 2") == [(second, False)]
    assert found("seat 1 nowhere") == found("seat 3") == found("seat of globex") == []
    assert found("seat 1 globex asia", Seat) == []

    seats.remove_seat(seat=first, by=None, at=T0)
    assert found("seat 1")[-1] == (first, False)  # last, but with its history
    assert {row for row, _ in found("seat 1")} == {first, other, eu, scene.seat}


def test_of_seats_with_a_number_so_many_are_found_and_not_more() -> None:
    for number in range(MOST + 2):
        seats.add_seat(team=make_team(f"Team {number}"), by=None, at=T0)

    assert len(found("#1")) == MOST


def test_a_key_is_found_by_its_beginning_or_all_of_it_whoever_it_was_replaced_by(scene: Scene) -> None:
    old = SubscriptionKey.objects.get(membership=scene.owner)
    text = keys.reveal_key(old)
    keys.rotate_key(membership=scene.owner, overlap=timedelta(0), at=T0, by=scene.owner.user)

    assert found(text) == [(old, True)]
    assert found(f"Authorization: Bearer {text}") == [(old, True)]
    assert found(old.prefix) == [(old, True)]
    assert found(f"kh-{old.key_id}") == [(old, True)]
    assert found(old.prefix[:-3]) == [(old, False)]
    assert found(forged_key_of(scene.owner))[0][1]  # who has guessed the rest gets what the prefix gets
    assert found(text, SubscriptionKey) == []


def test_an_api_key_and_an_access_token_are_found_too(scene: Scene) -> None:
    key = ApiKeyText.objects.get(api_key=make_api_key(scene.owner))
    token, text = access_tokens.create(
        user=scene.owner.user, name="ci", scope="read", expires_in_days=1, by=scene.owner.user, at=T0
    )

    assert found(keys.reveal_key(key)) == [(key, True)]
    assert found(text) == [(token, True)]


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("sk-cp-0123456789AB" + "x" * 46, "sk-cp-0123456789AB"),
        ("curl -H 'x-api-key: sk-api-0123456789ABxyz' ...", "sk-api-0123456789AB"),
        ("sk-cp-0123456789AB…", "sk-cp-0123456789AB"),
        ("pat-abcdefghijklmnop", "pat-abcd"),
        ("pat-abcd…", "pat-abcd"),
        ("gw-abcdefghijklmnop", "gw-abcd"),
        ("pat-smith@example.com", "pat-smith@example.com"),
        ("pat-of-the-long-name.smith@example.com", "pat-of-the-long-name.smith@example.com"),
        ("kh-lee@example.com", "kh-lee@example.com"),
        ("ada@example.com", "ada@example.com"),
    ],
)
def test_of_a_credential_only_its_public_beginning_is_left(text: str, public: str) -> None:
    assert public_part(text) == public


def test_a_call_is_found_as_its_charge_by_receipt_and_by_request_id(scene: Scene) -> None:
    held = scene.desk.ask(2, request_id="req-7")
    hold = Reservation.objects.get(pk=held.reservation_id)
    assert found("req-7") == [(hold, True)]

    charge = scene.desk.settle(held, 2)

    assert found("req-7") == found(str(charge.pk)) == [(charge, True)]
    assert found(str(hold.pk)) == [(hold, True)]
    assert found("req-7", UsageEvent) == [(hold, True)]
    assert found(str(uuid4())) == []


def test_a_refused_call_is_found_by_request_id(scene: Scene) -> None:
    remember_refusal(
        gateway=scene.desk.gateway,
        key_text=scene.desk.key,
        request_id="req-8",
        model="x",
        refusal=ModelUnknown(),
        at=T0,
    )

    assert found("req-8") == [(RefusedCall.objects.get(), True)]


def test_what_is_at_stripe_is_found_by_its_id_and_an_invoice_by_its_number(scene: Scene) -> None:
    customer = make_customer(scene.team)
    invoice = Invoice.objects.create(
        stripe_id="in_1",
        team=scene.team,
        number="ABC-0001",
        status="paid",
        total_nanousd=1,
        due_nanousd=1,
        paid_nanousd=1,
        created_at=T0,
    )

    assert found(str(customer.stripe_id)) == [(customer, True)]
    assert found("in_1") == found("abc-0001") == [(invoice, True)]
    assert found("cus_nobody") == found("in_2") == found("evt_1") == found("pi_1") == []
    assert found(str(customer.stripe_id), Customer) == []


def test_of_a_kind_so_many_are_found_and_not_more() -> None:
    for number in range(MOST + 2):
        make_user(f"same{number}@example.com")

    hits: list[Hit] = find("same", lambda _: True)

    assert len(hits) == MOST
