"""Lists by pages: cursors and sizes."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from teams.models import AuditEntry, Membership
from tests.helpers.people import team

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_enqueued(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ringing is tested by itself; here nothing listens."""
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)


def signed_in(membership: Membership) -> Client:
    client = Client()
    client.force_login(membership.user)
    return client


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    answer = client.generic(
        method,
        f"/api/v1{path}",
        b"" if body is None else json.dumps(body),
        content_type="application/json",
        headers=headers,
    )
    return answer.status_code, answer.json() if answer.content else None


@pytest.mark.parametrize("cursor", ["x", "cD1nYXJiYWdl", "cD0yMDI2LTk5LTk5", "bz0tNQ==", "cD0AAA=="])
def test_a_cursor_made_up_by_hand_is_refused(cursor: str) -> None:
    status, answer = send(signed_in(team()), "GET", f"/teams/acme/audit?cursor={cursor}")
    assert status in (404, 422), answer


def test_a_page_is_never_larger_than_200() -> None:
    owner = team()
    AuditEntry.objects.bulk_create(
        AuditEntry(team=owner.team, action="x", subject="y", at=timezone.now()) for _ in range(250)
    )
    client = signed_in(owner)
    for asked, given in (("", 50), ("?page_size=100000", 200), ("?page_size=-1", 50), ("?page_size=x", 50)):
        assert len(send(client, "GET", f"/teams/acme/audit{asked}")[1]["results"]) == given
