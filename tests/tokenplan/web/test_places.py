"""Threads are stuck when all of them are at work for long, and few may wait for one."""

from __future__ import annotations

import asyncio

import pytest

from tests.helpers.event_loop import run
from tokenplan.kit.problems import TooBusy
from tokenplan.web.places import Places


def test_threads_are_not_stuck_while_one_is_free() -> None:
    assert Places(2, name="a").stuck_seconds() == 0


def test_who_finds_too_many_waiting_for_a_thread_is_refused_at_once() -> None:
    places = Places(1, name="few", most_waiting=2)

    async def crowd() -> None:
        async def one() -> None:
            async with places.one():
                pass

        async with places.one():
            waits = [asyncio.create_task(one()) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(TooBusy):
                await one()
        await asyncio.gather(*waits)
        await one()

    run(crowd())
