"""Rate cards: in force from a moment on, never edited, refused whole when a line is wrong."""

import hashlib
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from quota.errors import ModelUnknown, RateCardInForce, RateCardInvalid, RateCardWithdrawn
from quota.models import RateCard, RateCardAlias, RateCardPrice
from quota.services.rate_cards import load_rate_card, withdraw_rate_card
from teams.models import AuditEntry
from tests.helpers.drift import plant
from tests.helpers.factories import MONDAY, RATE_CARD, T0, Scene

pytestmark = pytest.mark.django_db

HEADER = "model,modality,meter,unit_size,usd_per_unit,context_over,note\n"

DAY = timedelta(days=1)


def test_a_card_is_in_force_until_the_next_one(scene: Scene) -> None:
    dearer = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.02")
    _, is_new = load_rate_card(text=dearer, effective_from=T0 + DAY, at=T0, by=None)
    assert is_new
    assert scene.desk.ask(1, at=T0 + DAY - timedelta(microseconds=1)).estimate_nanousd == 10_000_000
    assert scene.desk.ask(1, at=T0 + DAY).estimate_nanousd == 20_000_000


def test_a_model_that_the_next_card_lacks_is_withdrawn_with_it(scene: Scene) -> None:
    without = "\n".join(line for line in RATE_CARD.splitlines() if not line.startswith("penny"))
    load_rate_card(text=without, effective_from=T0 + DAY, at=T0, by=None)
    assert scene.desk.ask(1).estimate_nanousd == 10_000_000
    with pytest.raises(ModelUnknown):
        scene.desk.ask(1, at=T0 + DAY)


def test_the_same_list_is_not_loaded_twice(scene: Scene) -> None:
    card, is_new = load_rate_card(text=RATE_CARD, effective_from=T0, at=T0, by=None)
    assert not is_new
    assert card.effective_from == MONDAY
    assert RateCard.objects.count() == 1


def test_two_lists_cannot_begin_at_one_moment(scene: Scene) -> None:
    with pytest.raises(RateCardInvalid, match="Another rate card"):
        load_rate_card(text=RATE_CARD + "x,y,z,1,1,,\n", effective_from=MONDAY, at=T0, by=None)


def test_a_list_from_the_past_is_refused_once_there_is_a_card(scene: Scene) -> None:
    dearer = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.05")
    past = T0 - timedelta(microseconds=1)
    with pytest.raises(RateCardInvalid, match="in the past"):
        load_rate_card(text=dearer, effective_from=past, at=T0, by=None)
    assert RateCard.objects.count() == 1
    assert load_rate_card(text=dearer, effective_from=T0, at=T0, by=None)[1]


def test_the_first_list_may_be_from_the_past() -> None:
    assert load_rate_card(text=RATE_CARD, effective_from=MONDAY, at=T0, by=None)[1]


def test_the_database_refuses_a_second_card_from_the_past(scene: Scene) -> None:
    """The control: the same row is accepted one microsecond later."""
    past = T0 - timedelta(microseconds=1)
    with pytest.raises(IntegrityError, match="in the past"), transaction.atomic():
        RateCard.objects.create(effective_from=past, source_sha256="x", loaded_at=T0)
    RateCard.objects.create(effective_from=T0, source_sha256="x", loaded_at=T0)


def test_an_alias_of_a_card_is_never_changed(scene: Scene) -> None:
    row = RateCardAlias.objects.create(card=RateCard.objects.get(), alias="cent", model="penny")
    with pytest.raises(IntegrityError, match="load a new rate card"), transaction.atomic():
        RateCardAlias.objects.update(model="nano")
    with pytest.raises(IntegrityError, match="load a new rate card"), transaction.atomic():
        row.delete()
    with pytest.raises(IntegrityError, match="an_alias_is_of_one_model"), transaction.atomic():
        RateCardAlias.objects.create(card=row.card, alias="cent", model="nano")


def test_a_card_that_comes_while_a_call_is_under_way_does_not_price_it_anew(scene: Scene) -> None:
    """Whatever card would be found for the moment of the authorize by then: the hold keeps its own."""
    dearer = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.05")
    held = scene.desk.ask(3, at=T0 + timedelta(minutes=1))
    # As a clock that ran ahead, or a hand in the database, may do.
    plant(
        "INSERT INTO quota_ratecard (effective_from, source_sha256, loaded_at) VALUES (%s, %s, %s)",
        T0,
        hashlib.sha256(dearer.encode()).hexdigest(),
        T0,
    )
    card = RateCard.objects.get(effective_from=T0)
    RateCardPrice.objects.create(
        card=card, model="penny", modality="language", meter="calls", unit_size=1, nanousd_per_unit=50_000_000
    )
    assert held.estimate_nanousd == 30_000_000
    event = scene.desk.settle(held, 3, at=T0 + timedelta(minutes=2))
    assert (event.amount_nanousd, event.rate_card_id == card.pk) == (30_000_000, False)
    assert scene.desk.use(3, at=T0 + timedelta(minutes=3)).amount_nanousd == 150_000_000


DEARER = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,0.02")


def load_dearer(at: datetime = T0) -> RateCard:
    return load_rate_card(text=DEARER, effective_from=T0 + DAY, at=at, by=None)[0]


def test_a_card_is_withdrawn_until_it_is_in_force_and_its_moment_is_free_again(scene: Scene) -> None:
    card = load_dearer()
    withdraw_rate_card(card=card, at=T0 + DAY - timedelta(microseconds=1), by=None)
    assert scene.desk.ask(1, at=T0 + DAY).estimate_nanousd == 10_000_000
    entry = AuditEntry.objects.get(action="rate_card.withdrawn")
    assert (entry.subject, entry.at) == (str(card), T0 + DAY - timedelta(microseconds=1))
    with pytest.raises(RateCardWithdrawn):
        withdraw_rate_card(card=card, at=T0, by=None)
    assert load_dearer() != card
    assert scene.desk.ask(1, at=T0 + DAY).estimate_nanousd == 20_000_000


def test_what_is_recorded_later_ignores_a_withdrawn_card(scene: Scene) -> None:
    withdraw_rate_card(card=load_dearer(), at=T0, by=None)
    assert scene.desk.use(1, at=T0 + DAY + timedelta(hours=1)).amount_nanousd == 10_000_000


def test_a_card_in_force_is_not_withdrawn(scene: Scene) -> None:
    card = load_dearer()
    with pytest.raises(RateCardInForce):
        withdraw_rate_card(card=card, at=T0 + DAY, by=None)
    assert not AuditEntry.objects.filter(action="rate_card.withdrawn").exists()
    with pytest.raises(IntegrityError, match="a_rate_card_in_force_is_not_withdrawn"), transaction.atomic():
        RateCard.objects.filter(pk=card.pk).update(withdrawn_at=T0 + DAY)


def test_the_database_keeps_a_withdrawn_card_as_it_is(scene: Scene) -> None:
    card = load_dearer()
    withdraw_rate_card(card=card, at=T0, by=None)
    for change in (
        "UPDATE quota_ratecard SET withdrawn_at = NULL WHERE id = %s",
        "UPDATE quota_ratecard SET effective_from = effective_from + interval '1 day' WHERE id = %s",
        "DELETE FROM quota_ratecard WHERE id = %s",
    ):
        with (
            pytest.raises(IntegrityError, match="is refused"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change, [card.pk])


def test_a_first_card_that_was_withdrawn_has_priced_nothing_so_the_next_may_be_from_ever() -> None:
    withdraw_rate_card(card=load_dearer(), at=T0, by=None)
    assert load_rate_card(text=RATE_CARD, effective_from=MONDAY, at=T0, by=None)[1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "first line"),
        ("model,price\n", "first line"),
        (HEADER, "no prices"),
        (HEADER + "m,x,calls,1,0.0000000001,,\n", "Line 2: '0.0000000001' is not a dollar amount"),
        (HEADER + "m,x,calls,one,1,,\n", "Line 2"),
        (HEADER + "m,x,calls,0,1,,\n", "Line 2: a unit is at least 1"),
        (HEADER + "m,x,calls,1,-1,,\n", "Line 2: a unit is at least 1"),
        (HEADER + ",x,calls,1,1,,\n", "Line 2: model, modality and meter are needed"),
        (HEADER + "m,x,calls\n", "Line 2"),
        (HEADER + "m,x,calls,1,1,,\nm,x,calls,1,2,,\n", "Line 3: m calls is priced twice"),
        (HEADER + "m,x,calls,1,1,,\nm,y,clips,1,2,,\n", "Line 3: m has two modalities"),
        (HEADER + "m,x,tokens,1,1,512000,\n", "none for small ones"),
    ],
)
def test_a_list_with_a_wrong_line_is_refused_whole(text: str, what: str) -> None:
    with pytest.raises(RateCardInvalid, match=what):
        load_rate_card(text=text, effective_from=T0, at=T0, by=None)
    assert not RateCard.objects.exists()
    assert not RateCardPrice.objects.exists()
