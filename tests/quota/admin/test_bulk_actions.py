"""Bulk actions as an operator sees them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from quota.models import BulkAction
from quota.services.bulk_actions import start_for_members, work_next_line
from quota.services.members import Terms, Verb
from teams.models import User
from tests.helpers.factories import T0, make_member, make_team, make_user, owner_of
from tests.helpers.reading import read

pytestmark = pytest.mark.django_db


def test_an_operator_sees_how_far_a_bulk_action_is_and_changes_nothing() -> None:
    team = make_team("Acme", owner=make_user("olivia@example.com"))
    action = start_for_members(
        team=team,
        verb=Verb.REMOVE,
        members=[make_member(team) for _ in range(3)],
        terms=Terms(""),
        by=owner_of(team).user,
        at=T0,
    )
    work_next_line(at=T0)
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    listed = reverse("admin:quota_bulkaction_changelist")

    assert "olivia@example.com" in read(client, listed)
    assert "1 of 3" in read(client, f"{listed}?ended_at__isempty=1")
    assert "1 of 3" not in read(client, f"{listed}?ended_at__isempty=0")
    row = reverse("admin:quota_bulkaction_change", args=[action.pk])
    client.post(row, {"verb": "give_seat"})
    assert BulkAction.objects.get().verb == "remove"
