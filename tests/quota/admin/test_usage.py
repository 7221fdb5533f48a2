"""An operator says what a call really used: a number a meter, by the words of the receipt."""

from __future__ import annotations

import pytest
from django.test import Client

from quota.models import UsageEvent
from teams.models import AuditEntry, User
from tests.helpers.admin_urls import verb_url
from tests.helpers.factories import T0, Scene, make_scene
from tests.helpers.reading import submit, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return client


def test_the_form_has_a_field_for_each_meter_of_the_call_and_of_its_model(
    scene: Scene, operator: Client
) -> None:
    scene.desk.use(3, at=T0)
    event = UsageEvent.objects.get()

    page = operator.get(verb_url(event, "correct"))

    field = '<input type="number" name="meter-calls" value="3" min="0" max="1000000000000"'
    assert field in page.content.decode()
    assert "All numbers empty: the call is not charged at all." in words(page)


def test_the_call_is_charged_again_for_what_the_fields_say(scene: Scene, operator: Client) -> None:
    scene.desk.use(3, at=T0)

    page = submit(operator, verb_url(UsageEvent.objects.get(), "correct"), reason="x", **{"meter-calls": "2"})

    assert "The charge is undone; $0.02 are charged instead." in page
    assert UsageEvent.objects.get(corrects__isnull=False, is_undo=False).usage == {"calls": 2}


def test_with_no_number_at_all_it_is_not_charged(scene: Scene, operator: Client) -> None:
    scene.desk.use(3, at=T0)

    page = submit(operator, verb_url(UsageEvent.objects.get(), "correct"), reason="x", **{"meter-calls": ""})

    assert "The charge is undone; $0.00 are charged instead." in page
    assert AuditEntry.objects.get(action="usage.corrected").details["after"] == "$0.00"
    assert not UsageEvent.objects.filter(corrects__isnull=False, is_undo=False).exists()


@pytest.mark.parametrize("number", ["-1", "1.5", "many"])
def test_what_is_no_whole_number_is_refused_beside_its_field(
    scene: Scene, operator: Client, number: str
) -> None:
    scene.desk.use(3, at=T0)
    url = verb_url(UsageEvent.objects.get(), "correct")

    assert operator.post(url, {"meter-calls": number, "reason": "x"}).status_code == 422
    assert operator.post(url, {"usage": '{"calls": 2}', "reason": "x"}).status_code == 422
    assert UsageEvent.objects.count() == 1
