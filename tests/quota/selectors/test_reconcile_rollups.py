"""What is rolled up and is not the sum of its events is found, each row by its name."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quota.models import UsageEvent, UsageStraggler
from quota.selectors.reconcile.sums import all_of, differences_of_sums
from quota.services import rollups
from quota.services.rollups import roll_up, start_anew
from teams.models import Membership
from tests.helpers.drift import named, plant
from tests.helpers.factories import T0, make_api_key, make_team, owner_of
from tests.helpers.usage_rows import write_event, write_undo

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Membership:
    """Of a Team with usage of all kinds, which is rolled up; what came since is not."""
    monkeypatch.setattr(rollups, "BEHIND", timedelta(0))
    owner = owner_of(make_team())
    write_event(owner, 300, tags=["night", "web"])
    write_undo(write_event(owner, 7, at=T0 + timedelta(days=1)))
    write_event(make_api_key(owner), 30)
    assert roll_up() == 4
    older = UsageEvent.objects.order_by("pk")[0].pk
    write_event(owner, 1000, id=type(older)(int=older.int - (3_600_000 << 80)))
    write_event(owner, 1000)
    assert UsageStraggler.objects.count() == 1
    return owner


def found() -> list[tuple[str, str, str]]:
    differences = differences_of_sums("reports", all_of("reports"))
    return [(one.about, one.expected, one.found) for one in differences]


def test_what_is_rolled_up_agrees_with_its_events(owner: Membership) -> None:
    assert found() == []
    assert roll_up() == 2
    assert found() == []
    start_anew()
    assert found() == []


def test_an_amount_that_is_wrong_is_named(owner: Membership) -> None:
    plant(
        "UPDATE quota_usagerollup SET calls = calls + 1, amount_nanousd = amount_nanousd + 5,"
        " overrun_nanousd = overrun_nanousd + 5 WHERE width_hours = 24 AND tagged"
    )
    assert found() == [
        (
            f"usage rolled up of {named(owner)}, 24 hours from 2026-06-03T00:00:00+00:00, penny, some tags",
            "1 calls, 100 + 100 + 0 + 100 nano-dollars",
            "2 calls, 100 + 100 + 0 + 105 nano-dollars",
        )
    ]


def test_a_row_that_is_gone_is_named(owner: Membership) -> None:
    plant("DELETE FROM quota_tagrollup WHERE width_hours = 1 AND tag = %s", "web")
    assert found() == [
        (
            f"usage rolled up of {named(owner)}, 1 hours from 2026-06-03T10:00:00+00:00, penny, tag web",
            "1 calls, 100 + 100 + 0 + 100 nano-dollars",
            "0 calls, 0 + 0 + 0 + 0 nano-dollars",
        )
    ]


def test_an_event_that_was_missed_is_found_in_its_hour_and_its_day(owner: Membership) -> None:
    plant("DELETE FROM quota_usagestraggler")
    found_rows = found()
    assert [row[0].removeprefix(f"usage rolled up of {named(owner)}, ") for row in found_rows] == [
        "24 hours from 2026-06-03T00:00:00+00:00, penny, no tags",
        "1 hours from 2026-06-03T10:00:00+00:00, penny, no tags",
    ]
    assert {row[1:] for row in found_rows} == {
        ("1 calls, 333 + 333 + 0 + 334 nano-dollars", "0 calls, 0 + 0 + 0 + 0 nano-dollars")
    }
