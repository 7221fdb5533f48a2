"""A world in which every list of the operators has a row, and the pages of those rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from allauth.mfa.models import Authenticator
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission
from django.test import RequestFactory
from django.urls import reverse

from quota.invitation_lines import Line
from quota.models import ClosedWindow, JobProgress, QuarantinedRow, ReconcileFinding, ReconcileRun
from quota.services.bulk_actions import start_inviting
from quota.services.quarantine import RejectedRow, keep_rejected
from quota.services.refusals import remember_refusal
from teams.models import JobRun, User
from tests.helpers.admin_urls import change_url
from tests.helpers.factories import T0, USD, key_of
from tests.helpers.long_rows import SENTENCE
from tests.helpers.world import Home, world
from tokenplan.kit.errors import Refusal

HOUR = timedelta(hours=1)


def make_desk_rows() -> Home:
    """Two of everything that a Team has, and one of what only operators see."""
    home = world()
    Group.objects.create(name="Support").permissions.set(Permission.objects.all()[:3])
    Authenticator.objects.create(user=home.owner_user, type="webauthn", data={"name": "phone"})
    start_inviting(
        team=home.team, lines=[Line(1, "ann@example.com", "ann@example.com")], by=home.owner_user, at=T0
    )
    _of_a_gateway(home)
    _of_jobs(home)
    return home


def _of_a_gateway(home: Home) -> None:
    """A row that could not be charged, and a call that was refused."""
    key = key_of(home.bob)
    row = {"id": "kept", "key": key, "model": "penny", "usage": {"calls": 3}, "occurred_at": T0.isoformat()}
    rejected = RejectedRow(row, "model_unknown", SENTENCE)
    keep_rejected(gateway=home.gateway, kind=QuarantinedRow.Kind.EVENT, rows=[rejected], at=T0)
    remember_refusal(
        gateway=home.gateway, key_text=key, request_id="r", model="penny", refusal=Refusal(SENTENCE), at=T0
    )


def _of_jobs(home: Home) -> None:
    JobProgress.objects.create(job="close_windows", ran_at=T0)
    JobRun.objects.create(job="quota.reconcile", began_at=T0, ended_at=T0, error=SENTENCE)
    run = ReconcileRun.objects.create(
        is_whole=True, began_at=T0, worked_at=T0, ended_at=T0 + HOUR, differences=1, after_transaction=1
    )
    ReconcileFinding.objects.create(run=run, about=f"lot {home.lot.pk}", expected=SENTENCE, found=SENTENCE)
    ClosedWindow.objects.create(
        team=home.team,
        seat=home.team.seats.earliest("pk"),
        name="5h",
        rule="5h",
        starts_at=T0 - 5 * HOUR,
        ends_at=T0,
        limit_nanousd=USD,
        used_nanousd=USD,
        written_at=T0,
    )


def pages_of_rows(operator: User) -> Iterator[str]:
    """Of each kind of row its list, the page of one, and where it is offered the one to add one; of one row
    its history. Nothing is deleted there (keepers/test_reasons.py).
    """
    request = RequestFactory().get("/admin/")
    request.user = operator
    for model, page in site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.order_by("pk").last()
        assert row is not None, f"{model.__name__}: make one in this file"
        yield reverse(f"{name}_changelist")
        yield change_url(row)
        if page.has_add_permission(request):
            yield reverse(f"{name}_add")
    yield reverse("admin:auth_group_history", args=[Group.objects.latest("pk").pk])
