"""However large a Team is, the file of a list of people is made in the same memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from teams.models import User
from tests.helpers.large_team import LargeTeam
from tests.helpers.page_fixtures import as_user, at_t0, nothing_enqueued
from tokenplan.kit import csv_answers, transactions

__all__ = ["as_user", "at_t0", "nothing_enqueued"]
pytestmark = pytest.mark.django_db

FILES = (
    *("team-members-csv", "team-seats-csv", "team-invitations-csv", "team-requests-csv"),
    *("team-api-keys-csv", "account-refused-csv"),
)
BATCH = 40


def most_at_once(client: Client, url: str) -> tuple[int, int]:
    """Bytes that Python had at once for the file, and how many lines it has."""
    tracemalloc.start()
    try:
        answer = client.get(url)
        lines = sum(part.count(b"\n") for part in answer)
        return tracemalloc.get_traced_memory()[1], lines
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_the_file_of_ten_times_as_many_people_takes_no_more_memory(
    as_user: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (csv_answers, transactions):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", BATCH)
    monkeypatch.setattr(csv_answers, "IN_MEMORY", 1)
    monkeypatch.setattr(csv_answers, "PART", 1024)
    firm = LargeTeam()
    client = as_user(firm.owner.user)
    urls = {name: reverse(name, args=[firm.team.slug]) for name in FILES}
    firm.grow(60)
    for url in urls.values():
        most_at_once(client, url)  # what is read once a process
    few = {name: most_at_once(client, url) for name, url in urls.items()}

    firm.grow(600)

    many = {name: most_at_once(client, url) for name, url in urls.items()}
    # Ten times the rows would be megabytes; some of what is read waits to be collected.
    grown = {name: (few[name], many[name]) for name in FILES if many[name][0] > 2 * few[name][0]}
    assert grown == {}
    assert all(many[name][1] > few[name][1] + 500 for name in FILES)
