"""Time zones by name."""

from __future__ import annotations

from datetime import UTC, datetime

from teams.time_zones import offered_names, zone_of

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def test_a_name_is_its_zone_and_one_that_is_gone_is_utc() -> None:
    assert f"{NOON.astimezone(zone_of('Europe/Berlin')):%H:%M %Z}" == "14:00 CEST"
    assert f"{NOON.astimezone(zone_of('America/New_York')):%H:%M %Z}" == "08:00 EDT"
    assert zone_of("Atlantis/City") is UTC


def test_places_are_offered_after_utc_and_older_names_are_not() -> None:
    names = offered_names()

    assert names[:2] == ("UTC", "Africa/Abidjan")
    assert {
        *("Africa/Cairo", "America/Argentina/Buenos_Aires", "Antarctica/Troll", "Asia/Shanghai"),
        *("Atlantic/Azores", "Australia/Sydney", "Europe/Berlin", "Indian/Maldives", "Pacific/Auckland"),
    } <= set(names)
    assert not {"US/Pacific", "Etc/GMT+5", "PRC"} & set(names)
    assert len(names) == len(set(names)) > 300
