"""What is slow to find out is looked at once at a time, and never waited for long."""

import threading

from tests.helpers.event_loop import run
from tokenplan.web.watches import Watch


def test_what_was_found_is_fresh_for_a_while() -> None:
    checks: list[int] = []

    def check() -> int:
        checks.append(1)
        return len(checks)

    async def several() -> list[int | None]:
        kept, asked_each_time = Watch(check, fresh_seconds=60), Watch(check, fresh_seconds=0)
        return [await watch.found(within=5) for watch in (kept, kept, asked_each_time, asked_each_time, kept)]

    assert run(several()) == [1, 1, 2, 3, 1]


def test_a_check_that_hangs_is_not_waited_for_and_not_begun_twice() -> None:
    released = threading.Event()
    begun: list[int] = []

    def check() -> str:
        begun.append(1)
        released.wait(10)
        return "found"

    async def hang() -> None:
        watch = Watch(check, fresh_seconds=0)
        assert await watch.found(within=0.02) is None
        assert await watch.found(within=0.02) is None
        assert len(begun) == 1
        released.set()
        assert await watch.found(within=5) == "found"

    run(hang())


def test_a_check_that_fails_finds_nothing_and_is_made_again() -> None:
    outcomes = iter([ValueError(), None])

    def check() -> str:
        error = next(outcomes)
        if error:
            raise error
        return "found"

    async def twice() -> list[str | None]:
        watch = Watch(check, fresh_seconds=60)
        return [await watch.found(within=5), await watch.found(within=5)]

    assert run(twice()) == [None, "found"]
