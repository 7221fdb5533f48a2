"""Usage without a price is told to the operators: each meter of each model, once a rate card."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.core.mail import EmailMessage

from quota import tasks
from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import UsageEvent
from quota.services.rate_cards import load_rate_card
from quota.services.unpriced import MONTH, RECENT, report_unpriced
from teams.models import Mail, User
from teams.services.mail import deliver_due
from tests.helpers.factories import RATE_CARD, T0, Scene, make_user

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def operator() -> User:
    make_user()
    user = make_user("operator@example.com")
    User.objects.filter(pk=user.pk).update(is_staff=True)
    return user


def report(scene: Scene, name: str, usage: dict[str, int], model: str = "penny", minutes: int = 0) -> None:
    event = ReportedEvent(name, scene.desk.key, model, usage, T0 + minutes * MINUTE)
    (row,) = record_events(gateway=scene.desk.gateway, events=[event], at=T0 + minutes * MINUTE)
    assert row.is_new


def mailed() -> list[tuple[str, str]]:
    mails = Mail.objects.filter(kind="unpriced").order_by("pk")
    return [(mail.context["model"], mail.context["meter"]) for mail in mails]


def test_each_meter_of_each_model_is_mailed_once(scene: Scene, operator: User) -> None:
    report(scene, "priced", {"calls": 1, "songs": 0})
    assert report_unpriced(at=T0) == 0
    report(scene, "one", {"calls": 1, "songs": 2, "clips": 1})
    report(scene, "two", {"songs": 2}, minutes=1)
    report(scene, "three", {"songs": 2}, model="painter", minutes=1)
    assert report_unpriced(at=T0 + MINUTE) == 3
    assert mailed() == [("painter", "songs"), ("penny", "clips"), ("penny", "songs")]
    assert {mail.to for mail in Mail.objects.filter(kind="unpriced")} == {operator.email}
    first = UsageEvent.objects.get(external_id="one")
    assert Mail.objects.get(context__meter="songs", context__model="penny").context["receipt"] == str(
        first.pk
    )
    report(scene, "four", {"songs": 2}, minutes=2)
    assert report_unpriced(at=T0 + 2 * MINUTE) == 0
    assert len(mailed()) == 3


def test_what_the_cache_has_is_priced_as_input_and_not_mailed(scene: Scene, operator: User) -> None:
    report(scene, "one", {"input_tokens": 1, "cache_read_tokens": 2, "songs": 1}, model="talker")
    report(scene, "two", {"cache_write_tokens": 2, "calls": 1}, model="penny", minutes=1)
    assert report_unpriced(at=T0 + MINUTE) == 2
    assert mailed() == [("penny", "cache_write_tokens"), ("talker", "songs")]


def test_the_next_rate_card_that_lacks_the_price_is_mailed_anew(scene: Scene, operator: User) -> None:
    report(scene, "one", {"songs": 2})
    assert report_unpriced(at=T0) == 1
    load_rate_card(text=RATE_CARD + "x,y,z,1,1,,\n", effective_from=T0 + MINUTE, at=T0, by=None)
    report(scene, "two", {"songs": 2}, minutes=1)
    assert report_unpriced(at=T0 + MINUTE) == 1
    assert mailed() == [("penny", "songs")] * 2


def test_what_the_sweep_of_every_minute_missed_the_nightly_one_finds(scene: Scene, operator: User) -> None:
    report(scene, "one", {"songs": 2})
    assert report_unpriced(at=T0 + RECENT) == 0
    assert report_unpriced(at=T0 + RECENT, reach=MONTH) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("task", [tasks.send_notices, tasks.reconcile])
def test_both_sweeps_tell(task: Callable[[], int], scene: Scene, operator: User) -> None:
    report(scene, "one", {"songs": 2})
    with time_machine.travel(T0 + MINUTE, tick=False):
        task()
        task()
    assert mailed() == [("penny", "songs")]


def test_the_mail_says_which_meter_of_which_model(
    scene: Scene, operator: User, mailoutbox: list[EmailMessage]
) -> None:
    report(scene, "one", {"songs": 2})
    report_unpriced(at=T0)
    deliver_due(at=T0)
    mail = mailoutbox[-1]
    assert mail.to == [operator.email]
    assert mail.subject == "Token Plan: the rate card has no price for songs of penny"
    assert "was not charged" in mail.body
