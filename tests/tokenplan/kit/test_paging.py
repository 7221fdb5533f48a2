"""Lists by pages: cursors and sizes."""

import pytest
from django.utils import timezone

from teams.models import AuditEntry
from tests.helpers.people import team
from tests.helpers.signed_in_client import send, signed_in

pytestmark = pytest.mark.django_db


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
    for asked, given in (("", 50), ("?page_size=", 50), ("?page_size=100000", 200), ("?page_size=7", 7)):
        assert len(send(client, "GET", f"/teams/acme/audit{asked}")[1]["results"]) == given


@pytest.mark.parametrize("size", ["x", "-1", "0", "1.5", "%201", "%D9%A3", "9" * 5_000])
def test_a_size_that_is_no_whole_number_above_0_is_refused(size: str) -> None:
    status, answer = send(signed_in(team()), "GET", f"/teams/acme/audit?page_size={size}")
    assert (status, answer["code"], answer["pointer"]) == (422, "invalid", "/page_size")
