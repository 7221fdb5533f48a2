"""How the jobs are, as the operators' pages say it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.urls import reverse

from billing.admin.jobs import JOBS, STATES
from billing.selectors.job_health import State
from teams.models import User
from teams.services.jobs import begin_run, end_run
from tests.helpers.factories import T0, make_user
from tests.helpers.reading import read

pytestmark = pytest.mark.django_db
LIST = reverse("admin:teams_jobrun_changelist")


def test_every_job_and_every_state_is_said_in_words() -> None:
    assert set(JOBS) == {str(entry["task"]) for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert set(STATES) == set(State)


def test_each_job_says_when_it_ran_what_it_did_and_why_it_failed() -> None:
    operator = Client()
    operator.force_login(User.objects.create_superuser("root@example.com", "x"))
    second = timedelta(seconds=1)
    well = begin_run(job="teams.deliver_mail", at=T0 - 10 * second)
    end_run(run=well, result=1234, at=T0 - 8 * second)
    failed = begin_run(job="quota.expire_lots", at=T0 - 20 * second)
    end_run(run=failed, result=None, error="ValueError: no", at=T0 - 20 * second)

    page = read(operator, LIST)

    assert (
        "Send the mails that are due teams.deliver_mail fine 10 seconds ago 2.00 s 1,234 "
        "20 seconds from now 0 –" in page
    )
    assert (
        "Write expired lots into the ledger quota.expire_lots failed: what it left waits for the next run "
        "20 seconds ago 0.00 s – 40 seconds from now 1 20 seconds ago : ValueError: no" in page
    )
    assert "quota.reconcile has not run yet – – – 17 hours from now 0 –" in page
    assert "Jobs that are not well" in read(operator, reverse("admin:index"))


def test_right_after_the_start_no_job_is_said_to_be_unwell() -> None:
    MigrationRecorder.Migration.objects.update(applied=T0 - timedelta(minutes=3))
    operator = Client()
    operator.force_login(User.objects.create_superuser("root@example.com", "x"))

    page = read(operator, LIST)

    assert "teams.deliver_mail has not run yet – – – 2 minutes ago 0 –" in page
    assert "never ran" not in page
    assert "Jobs that are not well 0" in read(operator, reverse("admin:index"))


def test_staff_without_the_right_do_not_see_them() -> None:
    user = make_user()
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(LIST).status_code == 403

    user.user_permissions.add(Permission.objects.get(codename="view_jobrun"))
    assert client.get(LIST).status_code == 200
