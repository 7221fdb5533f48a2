"""Threads are stuck when all of them are at work for long."""

from __future__ import annotations

from tokenplan.web.places import Places


def test_threads_are_not_stuck_while_one_is_free() -> None:
    assert Places(2, name="a").stuck_seconds() == 0
