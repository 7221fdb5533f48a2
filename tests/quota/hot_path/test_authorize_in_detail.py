"""What authorize writes, to the last column, and how long a hold lives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pytest_django.fixtures import Settings

from quota.errors import ModelUnknown, QuotaExhausted
from quota.hot_path.authorize import authorize
from quota.hot_path.holds import AuthorizeRequest, _lifetime, check_lifetime, ends_of_hold
from quota.models import Gateway, RateCard, Reservation, TeamCredits
from quota.pricing import Card, ModelPrices
from quota.services.rate_cards import load_rate_card
from tests.helpers.factories import (
    MONDAY,
    RATE_CARD,
    T0,
    Scene,
    give_credits,
    make_desk,
    make_member,
    make_scene,
    make_team,
    owner_of,
)
from tests.helpers.hot_path import MINUTE, PENNY, SECOND, asked_of_credits
from tokenplan.kit.errors import InvalidValue

CARD = Card(
    1,
    MONDAY,
    {name: ModelPrices(name, modality, ()) for name, modality in (("film", "video"), ("talk", "language"))},
    {"movie": "film"},
)


def written() -> dict[str, object]:
    """The columns of the one reservation, but for those that are random or tested elsewhere."""
    (row,) = Reservation.objects.values()
    columns: dict[str, object] = {**row}
    for name in ("id", "request_hash", "windows"):
        assert columns.pop(name)
    return columns


@pytest.mark.django_db
def test_a_hold_has_all_of_its_call(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    request = AuthorizeRequest(
        "r", scene.desk.key, "penny", {"calls": 993}, "writer", lifetime_seconds=60, tags=("t",)
    )
    answer = authorize(gateway=scene.desk.gateway, request=request, at=T0)
    assert answer.key_handle == f"kh-{scene.desk.key[6:18]}"
    assert written() == {
        "gateway_id": scene.desk.gateway.pk,
        "request_id": "r",
        "team_id": scene.team.pk,
        "membership_id": scene.owner.pk,
        "key_id": scene.owner.keys.get().pk,
        "api_key_id": None,
        "api_text_id": None,
        "seat_id": scene.seat.pk,
        "plan_id": scene.plan.pk,
        "rate_card_id": RateCard.objects.get().pk,
        "model": "penny",
        "agent": "writer",
        "tags": ["t"],
        "estimate_nanousd": 993 * PENNY,
        "from_quota_nanousd": 990 * PENNY,
        "from_credits_nanousd": 3 * PENNY,
        "from_balance_nanousd": 0,
        "left_quota_nanousd": 990 * PENNY,
        "left_credits_nanousd": 3 * PENNY,
        "left_balance_nanousd": 0,
        "state": "held",
        "created_at": T0,
        "expires_at": T0 + MINUTE,
        "charges_at": None,
        "raised_at": None,
        "holds_until": T0 + MINUTE,
        "closed_at": None,
        "expired": False,
    }


@pytest.mark.django_db
def test_a_lease_on_credits_names_no_seat_and_no_model(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    member = make_member(scene.team, credits=True)
    make_desk(member).lease(7 * PENNY, seconds=60)
    names = ("seat_id", "plan_id", "model", "agent", "tags", "windows", "from_credits_nanousd", "holds_until")
    assert list(Reservation.objects.values_list(*names)) == [
        (*(None, None, "", "", [], b"", 7 * PENNY), T0 + MINUTE + 15 * MINUTE)
    ]


@pytest.mark.django_db
def test_a_call_by_an_alias_is_one_of_its_model(scene: Scene) -> None:
    with_alias = RATE_CARD.replace("note", "note,alias_of", 1) + "cent,,,,,,,penny\n"
    load_rate_card(text=with_alias, effective_from=T0 + MINUTE, at=T0, by=None)
    scene.desk.ask(model="cent", at=T0 + MINUTE)
    assert Reservation.objects.get().model == "penny"


@pytest.mark.django_db
def test_the_windows_of_the_answer_hold_what_others_hold_too(scene: Scene) -> None:
    scene.desk.ask(3)
    assert [window.held for window in scene.desk.ask(4).windows] == [7 * PENNY] * 2
    assert [window.held for window in scene.desk.lease(PENNY).windows] == [8 * PENNY] * 2


@pytest.mark.django_db
def test_one_request_id_in_two_teams_is_two_requests_each_with_its_own_answer(scene: Scene) -> None:
    desks = scene.desk, make_scene().desk
    first = [desk.ask(3, request_id="once") for desk in desks]
    again = [desk.ask(3, request_id="once", at=T0 + SECOND) for desk in desks]
    assert again == [replace(answer, repeated=True) for answer in first]


@pytest.mark.django_db
def test_another_request_of_the_team_is_no_repeat_where_there_is_no_room(scene: Scene) -> None:
    scene.desk.ask(990)
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(990)


@pytest.mark.django_db
def test_the_last_use_of_a_key_is_noted_once_it_is_more_than_a_minute_old(scene: Scene) -> None:
    noted = []
    for moment in (T0, T0 + MINUTE, T0 + MINUTE + timedelta(microseconds=1)):
        scene.desk.ask(at=moment)
        noted.append(scene.owner.keys.get().last_used_at)
    assert noted == [T0, T0, T0 + MINUTE + timedelta(microseconds=1)]


@pytest.mark.django_db
def test_without_a_rate_card_the_refusal_names_the_model_or_says_why_there_is_no_lease() -> None:
    desk = make_desk(owner_of(make_team()))
    with pytest.raises(ModelUnknown, match="'penny' is not on the rate card") as refused:
        desk.ask()
    assert refused.value.pointer == "/model"
    with pytest.raises(ModelUnknown, match="There is no rate card"):
        desk.lease(PENNY)


@pytest.mark.parametrize(
    ("model", "asked", "most", "seconds"),
    [
        ("talk", None, 86_400, 900),
        ("film", None, 86_400, 14_400),
        ("movie", None, 86_400, 14_400),
        ("film", None, 3600, 3600),
        ("talk", None, 60, 60),
        ("film", 60, 86_400, 60),
        ("", None, 86_400, 900),
    ],
)
def test_a_hold_lives_as_asked_or_by_its_modality(
    model: str, asked: int | None, most: int, seconds: int
) -> None:
    request = AuthorizeRequest("r", "", model, lifetime_seconds=asked)
    gateway = Gateway(max_lifetime_seconds=most)
    assert _lifetime(gateway, CARD, request) == timedelta(seconds=seconds)


def test_without_a_card_or_for_an_unknown_model_a_hold_lives_as_long_as_is_set(settings: Settings) -> None:
    settings.RESERVATION_LIFETIME_SECONDS = 70
    gateway = Gateway(max_lifetime_seconds=86_400)
    for card, model in ((None, "film"), (CARD, "whisper")):
        assert _lifetime(gateway, card, AuthorizeRequest("r", "", model)) == timedelta(seconds=70)


def test_a_lifetime_lies_between_ten_seconds_and_the_longest_of_the_gateway() -> None:
    gateway = Gateway(max_lifetime_seconds=60)
    assert [check_lifetime(gateway, seconds) for seconds in (10, 60)] == [10 * SECOND, MINUTE]
    for seconds in (9, 61):
        with pytest.raises(InvalidValue, match="lives from 10 to 60 seconds") as refused:
            check_lifetime(gateway, seconds)
        assert refused.value.pointer == "/lifetime_seconds"


@pytest.mark.parametrize(("is_lease", "over"), [(True, T0 + MINUTE), (False, T0)])
def test_a_lease_alone_keeps_its_room_for_the_time_to_flush(is_lease: bool, over: datetime) -> None:
    """What is charged at its end keeps it for as long as its usage may be reported."""
    gateway = Gateway(flush_seconds=60)
    ends = {"holds_until": over, "charges_at": None}
    assert ends_of_hold(gateway, T0, is_lease=is_lease, is_charged=False) == ends
    charged = {"holds_until": over + timedelta(days=60), "charges_at": over}
    assert ends_of_hold(gateway, T0, is_lease=is_lease, is_charged=True) == charged


@pytest.mark.parametrize("road", ["alone"], indirect=True)
@pytest.mark.django_db
def test_credits_are_locked_by_the_statement_that_holds_some(scene: Scene) -> None:
    give_credits(scene.team, 10 * PENNY)
    # The statement that writes the hold asks; without a Credits part the database skips it.
    assert asked_of_credits(lambda: scene.desk.ask(1)) == [True]


@pytest.mark.django_db
def test_one_nano_dollar_beyond_the_windows_needs_one_of_credits(scene: Scene) -> None:
    scene.desk.use(990)
    # Whoever locks the Credits of a Team makes their row first, and a call that needs none does not.
    assert not TeamCredits.objects.filter(team=scene.team).exists()
    with pytest.raises(QuotaExhausted):
        scene.desk.ask(1, model="nano")
    give_credits(scene.team, 1)
    assert scene.desk.ask(1, model="nano").from_credits_nanousd == 1
