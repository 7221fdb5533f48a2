"""Nothing takes all threads: not what is asked elsewhere, and not a crowd that asks about one thing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import pytest

from tests.helpers.asgi import application, asked, request
from tests.helpers.event_loop import run
from tokenplan.kit.problems import TooBusy
from tokenplan.web.application import Application
from tokenplan.web.crowds import STUCK, Crowds

BELOW = "/gateway/"


class Held:
    """Work that does not end before it is let go, and counts what is under way by the path's last part."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.under_way: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        name = environ["PATH_INFO"].rpartition("/")[2]
        with self._lock:
            self.under_way[name] += 1
        if name != "free":
            self.go_on.wait(30)
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]


def named(environ: dict[str, Any]) -> list[tuple[Hashable, int]]:
    """Keys and their Team, as in `/gateway/TEAM/KEY`."""
    _, _, team, key = environ["PATH_INFO"].split("/")
    return [(key, 4), (team, 2)]


def locked(environ: dict[str, Any]) -> Hashable:
    """The key, if it is called so."""
    key: str = environ["PATH_INFO"].rpartition("/")[2]
    return key if key.startswith("stuck") else None


def served(
    work: Held, shares: Callable[[dict[str, Any]], Sequence[tuple[Hashable, int]]] = named, **more: Any
) -> Application:
    made = application(work)
    made.threads.crowds = Crowds(BELOW, threads=8, shares_of=shares, wait_seconds=5, **more)
    return made


async def until(what: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0)


def asking(made: Application, path: str, many: int) -> list[asyncio.Task[Any]]:
    return [asyncio.create_task(asked(made, request(path))) for _ in range(many)]


def statuses(tasks: Sequence[asyncio.Task[Any]]) -> Counter[int]:
    return Counter(task.result()[0] for task in tasks if task.done())


def test_what_is_asked_elsewhere_takes_no_thread_of_theirs() -> None:
    work = Held()
    made = served(work)

    async def crowd() -> None:
        pages = asking(made, "/page", 40)
        await until(lambda: work.under_way["page"] == 2)  # all that there are
        assert (await asked(made, request("/gateway/acme/free")))[0] == 200
        assert not any(page.done() for page in pages)
        work.go_on.set()
        await asyncio.gather(*pages)

    run(crowd())


def test_control_without_threads_of_their_own_they_wait_for_the_pages() -> None:
    work = Held()
    made = application(work)

    async def crowd() -> None:
        pages = asking(made, "/page", 2)
        await until(lambda: work.under_way["page"] == 2)
        assert (await asked(made, request("/gateway/acme/free")))[0] == 503
        work.go_on.set()
        await asyncio.gather(*pages)

    run(crowd())


def test_a_crowd_about_one_thing_leaves_threads_to_others() -> None:
    work = Held()
    made = served(work, most_waiting=10)

    async def crowd() -> None:
        stuck = asking(made, "/gateway/acme/key", 64)
        # Two that came first were not asked what they are about. Of the others two have a thread, ten wait.
        await until(lambda: statuses(stuck) == {503: 50} and work.under_way == {"key": 4})
        for answer in [task.result() for task in stuck if task.done()]:
            assert answer[1]["retry-after"] == "1"
            assert json.loads(answer[2])["code"] == "unavailable"
        # Another key of the Team, which may have half of the threads in all, and another Team.
        assert (await asked(made, request("/gateway/acme/free")))[0] == 200
        assert (await asked(made, request("/gateway/other/free")))[0] == 200
        work.go_on.set()
        await asyncio.gather(*stuck)
        assert statuses(stuck) == {503: 50, 200: 14}

    run(crowd())


def test_control_without_shares_they_take_all() -> None:
    work = Held()
    made = served(work, lambda environ: [])

    async def crowd() -> None:
        stuck = asking(made, "/gateway/acme/key", 64)
        await until(lambda: work.under_way["key"] == 8)
        others = asking(made, "/gateway/other/free", 1)
        for _ in range(100):
            await asyncio.sleep(0)
        assert work.under_way == {"key": 8}
        work.go_on.set()
        await asyncio.gather(*stuck, *others)
        assert work.under_way == {"key": 64, "free": 1}

    run(crowd())


def test_many_keys_of_one_team_leave_threads_to_other_teams() -> None:
    work = Held()
    made = served(work)

    async def crowd() -> None:
        stuck = [task for key in range(20) for task in asking(made, f"/gateway/acme/{key}", 2)]
        await until(lambda: work.under_way.total() == 6)
        assert (await asked(made, request("/gateway/other/free")))[0] == 200
        assert work.under_way.total() == 7
        work.go_on.set()
        await asyncio.gather(*stuck)
        assert statuses(stuck) == {200: 40}

    run(crowd())


@pytest.mark.parametrize("stuck", [1, 2, 3, 6])
def test_however_many_keys_are_stuck_there_are_threads_for_strangers(stuck: int) -> None:
    work = Held()
    made = served(work, locked_by=locked, turn_seconds=60)

    async def crowd() -> None:
        waits = [one for key in range(stuck) for one in asking(made, f"/gateway/team{key}/stuck{key}", 40)]
        # Two that came first were not asked what they are about. Of all others two have a thread.
        await until(lambda: work.under_way.total() == 4)
        strangers = [task for n in range(5) for task in asking(made, f"/gateway/other{n}/free", 1)]
        assert [status for status, *_ in await asyncio.gather(*strangers)] == [200] * 5
        assert not statuses(waits)
        work.go_on.set()
        await asyncio.gather(*waits)
        assert statuses(waits) == {200: 40 * stuck}

    run(crowd())


def test_control_where_nobody_asks_what_is_locked_three_stuck_keys_take_all_threads() -> None:
    work = Held()
    made = served(work)

    async def crowd() -> None:
        waits = [one for key in range(3) for one in asking(made, f"/gateway/team{key}/stuck{key}", 40)]
        await until(lambda: work.under_way.total() == 8)
        stranger = asking(made, "/gateway/other/free", 1)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not stranger[0].done()
        work.go_on.set()
        await asyncio.gather(*waits, *stranger)

    run(crowd())


def test_of_what_is_stuck_few_wait_for_a_thread_and_the_rest_are_refused_at_once() -> None:
    work = Held()
    made = served(work, locked_by=locked, turn_seconds=60, most_waiting=3)

    async def crowd() -> None:
        waits = [one for key in range(6) for one in asking(made, f"/gateway/team{key}/stuck{key}", 40)]
        # Two unasked, two with a thread, three that wait for one. And of each key there are five at most.
        await until(lambda: statuses(waits)[503] >= 6 * 40 - 2 - 6 * 5)
        await until(lambda: work.under_way.total() == 4)
        assert {task.result()[1]["retry-after"] for task in waits if task.done()} == {"1"}
        work.go_on.set()
        await asyncio.gather(*waits)
        assert statuses(waits).keys() == {200, 503}

    run(crowd())


def test_what_is_much_used_is_locked_at_most_times_and_not_stuck() -> None:
    """Once a request of it is answered soon, it is taken for what moves."""
    crowds = Crowds(BELOW, threads=8, shares_of=named, locked_by=locked)

    async def crowd() -> None:
        environ = {"PATH_INFO": f"{BELOW}acme/stuck"}
        unasked = {"PATH_INFO": f"{BELOW}x/x"}
        async with crowds.one(unasked), crowds.one(unasked), crowds.one(environ):
            assert crowds._lines[STUCK].inside == 1
            async with crowds.one(environ):
                assert crowds._lines[STUCK].inside == 2
            async with crowds.one(environ):
                assert crowds._lines[STUCK].inside == 1
        assert not crowds._lines

    run(crowd())


def test_who_gets_no_turn_in_time_is_asked_to_come_again() -> None:
    work = Held()
    made = served(work, turn_seconds=0.05)

    async def crowd() -> None:
        stuck = asking(made, "/gateway/acme/key", 9)
        await until(lambda: statuses(stuck) == {503: 5})
        work.go_on.set()
        await asyncio.gather(*stuck)
        assert statuses(stuck) == {503: 5, 200: 4}
        again = await asyncio.gather(*asking(made, "/gateway/acme/key", 4))
        assert [status for status, *_ in again] == [200] * 4

    run(crowd())


def test_whoever_leaves_gives_their_turn_back() -> None:
    crowds = Crowds(BELOW, threads=4, shares_of=lambda environ: [("key", 4)], most_waiting=0)
    environ = {"PATH_INFO": f"{BELOW}acme/key"}

    async def crowd() -> None:
        async with crowds.one(environ):
            async with crowds.one(environ):
                with pytest.raises(TooBusy):
                    async with crowds.one(environ):
                        raise AssertionError
            async with crowds.one(environ):  # the turn is free again
                pass
        assert not crowds._lines

    run(crowd())


def test_even_one_thread_is_enough_for_what_names_much() -> None:
    work = Held()
    work.go_on.set()
    made = application(work)
    made.threads.crowds = Crowds(BELOW, threads=1, shares_of=named)

    async def crowd() -> None:
        answers = await asyncio.gather(*asking(made, "/gateway/acme/key", 5))
        assert [status for status, *_ in answers] == [200] * 5

    run(crowd())
