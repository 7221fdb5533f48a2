"""The sweeps as Celery and operators run them: under their names, on the clock, ringing where mail waits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.test import TestCase
from django.utils import timezone

from quota import tasks
from quota.errors import NoUsableResources
from quota.invitation_lines import read_lines
from quota.models import ClosedWindow, CreditGrant, ReconcileRun, Reservation, UsageRollup
from quota.services import rollups
from quota.services.bulk_actions import start_inviting
from quota.services.refusals import remember_refusal
from teams.models import Mail, User
from teams.tasks import deliver_mail
from tests.helpers.drift import plant
from tests.helpers.factories import T0, USD, Scene, allow_credits, give_credits, limits, make_scene, make_user

pytestmark = pytest.mark.django_db

CENT = USD // 100


@pytest.fixture
def scene() -> Scene:
    scene = make_scene(limits(10 * CENT, 100 * USD))
    give_credits(scene.team, 5 * CENT, expires_at=T0 + timedelta(hours=1))
    allow_credits(scene.owner)
    scene.desk.use(9)
    scene.desk.ask(1)
    return scene


@pytest.fixture
def a_day_later() -> Iterator[None]:
    with time_machine.travel(T0 + timedelta(days=1), tick=False):
        yield


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().strip()


@pytest.mark.usefixtures("a_day_later")
def test_each_sweep_does_its_work_by_command_and_says_how_much(scene: Scene) -> None:
    assert said("close_windows") == "1 window written."
    assert said("close_windows", "--all") == "0 windows written."
    assert said("expire_reservations") == "1 reservation expired, 0 charged."
    assert said("expire_reservations") == "0 reservations expired, 0 charged."
    assert said("expire_lots") == "1 lot expired."
    assert said("send_notices") == "1 notice queued."
    assert said("send_notices") == "0 notices queued."
    assert ClosedWindow.objects.get().used_nanousd == 9 * CENT
    assert Reservation.objects.filter(expired=True).count() == 1
    assert CreditGrant.objects.get().remaining_nanousd == 0
    assert Mail.objects.get(kind="credits_low").to == scene.owner.user.email


@pytest.mark.usefixtures("a_day_later")
def test_each_sweep_does_its_work_as_a_task_and_returns_how_much(scene: Scene) -> None:
    assert [tasks.close_windows(), tasks.close_windows()] == [1, 0]
    assert [tasks.expire_reservations(), tasks.expire_reservations()] == [1, 0]
    assert [tasks.expire_lots(), tasks.expire_lots()] == [1, 0]
    assert [tasks.send_notices(), tasks.send_notices()] == [1, 0]
    remember_refusal(
        gateway=scene.desk.gateway,
        key_text=scene.desk.key,
        request_id="r",
        model="penny",
        refusal=NoUsableResources(),
        at=T0 - timedelta(days=7),
    )
    assert [tasks.forget_refusals(), tasks.forget_refusals()] == [1, 0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("a_day_later")
def test_the_nightly_task_logs_each_difference_and_mails_the_operators(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    operator = make_user()
    User.objects.filter(pk=operator.pk).update(is_staff=True)
    plant("UPDATE quota_creditgrant SET remaining_nanousd = remaining_nanousd - 5")
    assert tasks.reconcile() == 1
    assert tasks.reconcile() == 0  # the lot is not new
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    lot = CreditGrant.objects.get(team=scene.team)
    name = f"lot {lot.pk} of Team {scene.team.slug}"
    assert errors == [f"Drift: Credits left in {name}: 50000000 expected, 49999995 found"]
    mail = Mail.objects.get(kind="drift")
    assert (mail.to, mail.context["count"]) == (operator.email, 1)
    assert ClosedWindow.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("a_day_later", "scene")
def test_a_check_that_takes_longer_than_a_task_may_is_taken_up_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enqueued: list[object] = []
    monkeypatch.setattr(tasks, "enqueue", enqueued.append)
    monkeypatch.setattr(tasks, "TURN_SECONDS", -1)
    parts = 0
    while not ReconcileRun.objects.filter(ended_at__isnull=False).exists():
        parts += 1
        assert tasks.reconcile() == 0
    assert enqueued == [tasks.reconcile] * (parts - 1)
    assert parts > 4


@pytest.mark.usefixtures("a_day_later")
def test_the_sweep_of_every_minute_takes_up_a_check_that_was_cut_short_and_says_that_it_is_late(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued: list[object] = []
    monkeypatch.setattr(tasks, "enqueue", enqueued.append)
    operator = make_user()
    User.objects.filter(pk=operator.pk).update(is_staff=True)
    long_ago, a_while_ago = T0 - timedelta(days=1), T0 + timedelta(hours=23)
    ReconcileRun.objects.create(began_at=long_ago, worked_at=long_ago, ended_at=long_ago, after_transaction=3)
    ReconcileRun.objects.create(began_at=a_while_ago, worked_at=a_while_ago, after_transaction=3)
    assert tasks.watch_reconcile() == 1
    assert enqueued == [deliver_mail, tasks.reconcile]
    assert Mail.objects.get(kind="reconcile_late").to == operator.email


@pytest.mark.django_db(transaction=True)
def test_usage_is_rolled_up_by_task_and_by_command(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))
    assert [tasks.roll_up_usage(), tasks.roll_up_usage()] == [1, 0]
    assert said("roll_up_usage") == "0 events rolled up."
    assert said("roll_up_usage", "--anew") == "1 event rolled up."
    assert UsageRollup.objects.get(width_hours=24).amount_nanousd == 9 * CENT


@pytest.mark.django_db
def test_months_are_made_by_task_and_by_command() -> None:
    year = timedelta(days=365)
    with time_machine.travel(timezone.now() + year, tick=False):
        made = tasks.keep_partitions()
        assert 30 <= made <= 36
        assert tasks.keep_partitions() == 0
        assert said("keep_partitions") == "All months are as they should be."
    with time_machine.travel(timezone.now() + year + timedelta(days=31), tick=False):
        assert said("keep_partitions").startswith("Made quota_reservation_")


def test_every_sweep_is_on_the_schedule_and_known_to_celery() -> None:
    scheduled = {str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled == {
        "teams.deliver_mail",
        "quota.close_windows",
        "quota.expire_lots",
        "quota.forget_refusals",
        "quota.keep_partitions",
        "quota.expire_reservations",
        "quota.reconcile",
        "quota.roll_up_usage",
        "quota.send_notices",
        "quota.watch_reconcile",
        "quota.work_bulk_actions",
        "billing.finish",
        "billing.reconcile",
        "billing.top_up",
        "billing.work_inbox",
    }
    assert scheduled <= set(current_app.tasks)


def test_a_bulk_action_is_worked_in_turns(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: sent.append(task.name))
    start_inviting(
        team=scene.team,
        lines=read_lines("one@example.com\ntwo@example.com", {}),
        by=scene.owner.user,
        at=T0,
    )
    with TestCase.captureOnCommitCallbacks(execute=True):
        monkeypatch.setattr(tasks, "BULK_SECONDS", -1)
        assert tasks.work_bulk_actions() == 1
    assert sent == ["quota.work_bulk_actions", "teams.deliver_mail"]
    with TestCase.captureOnCommitCallbacks(execute=True):
        monkeypatch.setattr(tasks, "BULK_SECONDS", 60)
        assert [tasks.work_bulk_actions(), tasks.work_bulk_actions()] == [2, 0]
    assert sent[2:] == ["teams.deliver_mail"]
    assert Mail.objects.filter(kind="invitation").count() == 2
