"""Moments in lists: relative, and exact for whoever points at them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.utils import timezone, translation

from teams.templatetags.moments import ago

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "english", "chinese"),
    [
        (timedelta(0), "now", "现在"),
        (timedelta(hours=3), "3\xa0hours ago", "3小时之前"),
        (timedelta(days=40), "1\xa0month, 1\xa0week ago", "1\xa0月，1\xa0周前"),
        (-timedelta(hours=3), "3\xa0hours from now", "3小时以后"),
    ],
)
def test_it_says_how_long_ago_or_in_how_long(since: timedelta, english: str, chinese: str) -> None:
    with time_machine.travel(NOW, tick=False):
        assert f">{english}</time>" in ago(NOW - since)
        with translation.override("zh-hans"):
            assert f">{chinese}</time>" in ago(NOW - since)


def test_the_exact_moment_is_the_title_in_the_readers_time_zone() -> None:
    with time_machine.travel(NOW, tick=False), timezone.override(ZoneInfo("Europe/Berlin")):
        assert ago(NOW - timedelta(minutes=90)) == (
            '<time datetime="2026-06-03T10:30:00+00:00" title="3 Jun 2026, 12:30:00 CEST">an hour ago</time>'
        )
