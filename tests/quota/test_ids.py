"""Ids carry their time, and no two are the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import time_machine

from quota.ids import earlier, first_id_at, new_id, new_id_of, team_in


def test_an_id_begins_with_the_milliseconds_of_its_time() -> None:
    at = datetime(2026, 6, 3, 10, 2, 0, 123_000, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {id.int >> 80 for id in ids} == {int(at.timestamp() * 1000)}
    assert {(id.version, id.variant) for id in ids} == {(7, RFC_4122)}


def test_an_id_of_a_team_carries_its_time_and_ends_with_the_number_of_the_team() -> None:
    at = datetime(2026, 6, 3, 10, 2, 0, 123_000, tzinfo=UTC)
    with time_machine.travel(at, tick=False):
        ids = {new_id_of(0xABCDEF123) for _ in range(1000)}
    assert len(ids) == 1000
    assert {id.int >> 80 for id in ids} == {int(at.timestamp() * 1000)}
    assert {(id.version, id.variant) for id in ids} == {(8, RFC_4122)}
    assert {str(id)[-9:] for id in ids} == {"abcdef123"}


def test_an_id_of_a_team_with_a_number_that_is_too_large_for_it_is_any_id() -> None:
    largest = 2**36 - 1
    assert (new_id_of(largest).version, new_id_of(largest + 1).version) == (8, 7)
    assert [team_in(new_id_of(team_id)) for team_id in (1, largest, largest + 1)] == [1, largest, None]


def test_a_later_id_is_a_larger_one() -> None:
    with time_machine.travel(datetime(2026, 6, 3, tzinfo=UTC), tick=False) as clock:
        first = new_id()
        clock.shift(0.001)
        assert new_id() > first


def test_the_first_id_of_a_moment_parts_what_was_made_before_it_from_what_was_not() -> None:
    at = datetime(2026, 6, 3, 10, 2, 0, 123_999, tzinfo=UTC)
    millisecond = timedelta(milliseconds=1)
    with time_machine.travel(at, tick=False) as clock:
        same = new_id()
        clock.move_to(at - millisecond)
        assert new_id() < first_id_at(at) < same < first_id_at(at + millisecond)
    assert first_id_at(at) == first_id_at(at.replace(microsecond=123_000))


def test_an_earlier_id_is_the_last_of_its_millisecond() -> None:
    id = UUID(int=5_000_123 << 80 | 7)
    assert earlier(id, timedelta(minutes=1)) == UUID(int=((5_000_123 - 60_000 + 1) << 80) - 1)
    assert earlier(id, timedelta()) == UUID(int=((5_000_123 + 1) << 80) - 1)
    assert earlier(id, timedelta(days=1)) == UUID(int=0)
