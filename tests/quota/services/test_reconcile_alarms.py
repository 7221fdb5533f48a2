"""The alarms of the check: it has found something, it is late, it was cut short."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail as outbox

from quota.models import ReconcileFinding, ReconcileRun
from quota.services.reconcile_alarms import is_interrupted, report_drift, report_late
from teams.models import Mail, User
from teams.services.mail import deliver_due
from tests.helpers.factories import T0, make_scene, make_user

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def operators() -> list[User]:
    staff = [make_user() for _ in range(2)]
    User.objects.filter(pk__in=[user.pk for user in staff]).update(is_staff=True)
    make_user()
    return staff


def a_run(*, began: int = 0, worked: int = 0, ended: int | None = None, **more: object) -> ReconcileRun:
    """Hours after T0."""
    return ReconcileRun.objects.create(
        began_at=T0 + began * HOUR,
        worked_at=T0 + worked * HOUR,
        ended_at=None if ended is None else T0 + ended * HOUR,
        after_transaction=3,
        **more,
    )


def late_mails() -> list[str]:
    return list(Mail.objects.filter(kind="reconcile_late").order_by("pk").values_list("to", flat=True))


def test_drift_is_mailed_to_each_operator_once_a_day() -> None:
    staff = operators()
    run = a_run(ended=1, differences=23)
    ReconcileFinding.objects.bulk_create(
        ReconcileFinding(run=run, about=f"meter {number}", expected="1", found="2") for number in range(22)
    )
    for hours in (0, 1, 24):
        report_drift(run=run, at=T0 + hours * HOUR)
    mails = Mail.objects.filter(kind="drift").order_by("pk")
    assert sorted(mail.to for mail in mails) == sorted([user.email for user in staff] * 2)
    context = mails[0].context
    assert context["count"] == 23
    assert context["lines"].splitlines()[0] == "meter 0: 1 expected, 2 found"
    assert context["more"] == 3
    Mail.objects.exclude(pk=mails[0].pk).delete()
    deliver_due(at=T0)
    (message,) = outbox.outbox
    assert message.subject == "Token Plan: 23 differences between meters and events"
    assert "meter 19: 1 expected, 2 found\n… and 3 more\n\nAmounts are nano-dollars." in message.body
    assert "The nightly check of 3 Jun 2026, 10:02 UTC recomputed" in message.body


def test_a_check_that_has_not_ended_for_thirty_hours_is_mailed_once_a_day() -> None:
    staff = operators()
    a_run(ended=1)
    assert not report_late(at=T0 + 31 * HOUR - timedelta(microseconds=1))
    assert late_mails() == []
    for hours in (31, 32, 60):
        assert report_late(at=T0 + hours * HOUR)
    assert sorted(late_mails()) == sorted([user.email for user in staff] * 2)
    a_run(began=60, ended=61)
    assert not report_late(at=T0 + 62 * HOUR)


def test_a_run_that_was_replaced_or_is_open_is_no_run_that_ended() -> None:
    operators()
    a_run(ended=1)
    a_run(began=20, worked=21, ended=25, replaced=True)
    a_run(began=25, worked=30)
    assert report_late(at=T0 + 31 * HOUR)
    deliver_due(at=T0 + 31 * HOUR)
    body = outbox.outbox[0].body
    assert outbox.outbox[0].subject == "Token Plan: meters and balances have not been checked"
    assert "The last one ended at 3 Jun 2026, 11:02 UTC." in body
    assert "One began at 4 Jun 2026, 11:02 UTC, and did its last part at 4 Jun 2026, 16:02 UTC." in body
    assert "manage.py reconcile" in body


def test_what_was_never_checked_is_late_once_there_is_usage_of_so_long_ago() -> None:
    operators()
    assert not report_late(at=T0 + 1000 * HOUR)
    make_scene().desk.use(1)
    assert not report_late(at=T0 + 30 * HOUR)
    assert report_late(at=T0 + 31 * HOUR)
    deliver_due(at=T0 + 31 * HOUR)
    assert "None has ever ended." in outbox.outbox[-1].body


def test_a_run_that_nobody_works_on_is_interrupted() -> None:
    assert not is_interrupted(at=T0 + HOUR)
    run = a_run()
    assert not is_interrupted(at=T0 + timedelta(minutes=9))
    assert is_interrupted(at=T0 + timedelta(minutes=10))
    ReconcileRun.objects.filter(pk=run.pk).update(ended_at=T0)
    assert not is_interrupted(at=T0 + HOUR)
