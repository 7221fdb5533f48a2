"""What arrives while a batch is worked is the next batch, and everybody gets their own answer."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.helpers.asgi import application, asked, request
from tests.helpers.event_loop import run
from tokenplan.kit.problems import TooBusy
from tokenplan.web.gathering import Gathering, Most, Road
from tokenplan.web.places import Places

LOCKED = object()


class Counter:
    """Work that can be held up, remembers its batches, and answers twice of what was asked."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.free = threading.Event()

    def __call__(self, asks: list[Any]) -> Sequence[Any]:
        self.batches.append(asks)
        self.free.wait(10)
        return [2 * ask for ask in asks]


def test_what_comes_while_a_batch_is_worked_is_the_next_batch() -> None:
    work = Counter()
    gathering = Gathering(work, thread=ThreadPoolExecutor(1), most=Most(in_batch=3))

    async def crowd() -> list[Any]:
        first = asyncio.create_task(gathering.answer(0))
        while not work.batches:
            await asyncio.sleep(0)
        others = [asyncio.create_task(gathering.answer(number)) for number in range(1, 6)]
        await asyncio.sleep(0)
        work.free.set()
        return [await one for one in [first, *others]]

    assert run(crowd()) == [0, 2, 4, 6, 8, 10]
    assert work.batches == [[0], [1, 2, 3], [4, 5]]
    assert run(crowd()) == [0, 2, 4, 6, 8, 10]  # in another loop too, once nobody waits


def test_a_batch_that_fails_is_nobodys_answer_and_the_next_one_is_worked() -> None:
    broken = [True]

    def work(asks: list[Any]) -> Sequence[Any]:
        if broken:
            raise ZeroDivisionError
        return asks

    gathering = Gathering(work, thread=ThreadPoolExecutor(1))

    async def two_after_one_another() -> list[Any]:
        first = await gathering.answer("first")
        broken.clear()
        return [first, await gathering.answer("second")]

    assert run(two_after_one_another()) == [None, "second"]


def test_too_few_answers_are_nobodys() -> None:
    gathering = Gathering(lambda asks: [], thread=ThreadPoolExecutor(1))
    assert run(gathering.answer("one")) is None


def test_what_is_locked_is_asked_again_until_it_is_free() -> None:
    answers: Iterator[list[object]] = iter([[LOCKED, "two"], [LOCKED], ["one"]])
    gathering = Gathering(lambda asks: next(answers), thread=ThreadPoolExecutor(1), locked=LOCKED)

    async def both() -> Any:
        return await asyncio.gather(gathering.answer(1), gathering.answer(2))

    assert [*run(both())] == ["one", "two"]


def test_what_stays_locked_is_unavailable_and_keeps_nobody_else_waiting() -> None:
    def work(asks: list[Any]) -> Sequence[Any]:
        return [LOCKED if ask == "hot" else ask for ask in asks]

    gathering = Gathering(work, thread=ThreadPoolExecutor(1), locked=LOCKED, locked_seconds=0)

    async def both() -> Any:
        return await asyncio.gather(gathering.answer("hot"), gathering.answer("cold"), return_exceptions=True)

    hot, cold = run(both())
    assert isinstance(hot, TooBusy)
    assert cold == "cold"


def test_when_too_many_wait_the_next_is_refused_at_once() -> None:
    work = Counter()
    gathering = Gathering(work, thread=ThreadPoolExecutor(1), most=Most(waiting=2))

    async def crowd() -> list[Any]:
        first = asyncio.create_task(gathering.answer(0))
        while not work.batches:
            await asyncio.sleep(0)
        others = [asyncio.create_task(gathering.answer(number)) for number in (1, 2)]
        await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await gathering.answer(3)
        work.free.set()
        return [await one for one in [first, *others]]

    assert run(crowd()) == [0, 2, 4]


def test_a_crowd_about_one_thing_is_refused_at_once_and_others_are_not() -> None:
    work = Counter()
    gathering = Gathering(work, thread=ThreadPoolExecutor(1), about=lambda ask: ask % 2, most=Most(of_one=2))

    async def crowd() -> list[Any]:
        waiting = [asyncio.create_task(gathering.answer(number)) for number in (1, 3)]
        while not work.batches:
            await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await gathering.answer(5)
        waiting.append(asyncio.create_task(gathering.answer(2)))
        await asyncio.sleep(0)
        work.free.set()
        answers = [await one for one in waiting]
        return [*answers, await gathering.answer(5)]  # there is room again

    assert run(crowd()) == [2, 6, 4, 10]
    assert not gathering._of_one


def test_what_is_locked_takes_a_part_of_a_batch_and_leaves_the_rest_to_what_is_new() -> None:
    batches: list[list[str]] = []
    free: list[bool] = []

    def work(asks: list[Any]) -> Sequence[Any]:
        batches.append(asks)
        return [ask if free or ask == "new" else LOCKED for ask in asks]

    gathering = Gathering(work, thread=ThreadPoolExecutor(1), locked=LOCKED, most=Most(in_batch=50))

    async def crowd() -> None:
        locked = [asyncio.create_task(gathering.answer("locked")) for _ in range(100)]
        while len(batches) < 4:
            await asyncio.sleep(0)
        assert await gathering.answer("new") == "new"
        free.append(True)
        await asyncio.gather(*locked)

    run(crowd())
    assert max(map(len, batches)) <= 50
    (with_new,) = [batch for batch in batches if "new" in batch]
    assert (len(with_new), with_new[0]) == (33, "new")


def refused_at_once(tasks: Sequence[asyncio.Task[Any]]) -> int:
    return sum(task.done() and isinstance(task.exception(), TooBusy) for task in tasks)


async def flooded(gathering: Gathering, many: int, refused: int, free: list[bool]) -> list[str]:
    """Many ask, each about a thing of its own, and what all of them are about stays locked until so many are
    refused. Then a stranger asks. What the stranger and the others are answered.
    """
    flood = [asyncio.create_task(gathering.answer(("stuck", number))) for number in range(many)]
    async with asyncio.timeout(20):
        while refused_at_once(flood) < refused:
            await asyncio.sleep(0)
    strangers = [await gathering.answer(("other", number)) for number in range(20)]
    assert refused_at_once(flood) == refused
    assert not any(task.done() and not task.exception() for task in flood)
    free.append(True)
    rest = await asyncio.gather(*flood, return_exceptions=True)
    return [*strangers, *(answer for answer in rest if isinstance(answer, str))]


def locking(free: list[bool], **more: Any) -> Gathering:
    def work(asks: list[Any]) -> Sequence[Any]:
        return [name if free or name == "other" else LOCKED for name, _ in asks]

    thread = ThreadPoolExecutor(1)
    return Gathering(work, thread=thread, locked=LOCKED, about=lambda ask: ask[1], locked_seconds=60, **more)


def test_who_asks_about_a_thing_of_their_own_is_bounded_by_what_locks_it() -> None:
    free: list[bool] = []
    gathering = locking(free, locks_of=lambda asks: [name for name, _ in asks], most=Most(of_one=16))
    assert run(flooded(gathering, 2600, 2600 - 16, free)) == ["other"] * 20 + ["stuck"] * 16
    assert not gathering._locked_of


def test_what_is_locked_is_bounded_in_all_apart_from_what_is_new() -> None:
    free: list[bool] = []
    gathering = locking(free, most=Most(waiting=500, locked=40))
    # 500 are taken, and 40 of them may wait; all later ones find no room even to be asked.
    assert run(flooded(gathering, 900, 900 - 40, free)) == ["other"] * 20 + ["stuck"] * 40
    assert not gathering._locked_of


def test_what_locks_an_ask_is_found_out_once() -> None:
    named: list[list[Any]] = []
    answers: Iterator[list[object]] = iter([[LOCKED, "b"], [LOCKED], [LOCKED], ["a"]])

    def locks_of(asks: list[Any]) -> list[Any]:
        named.append(asks)
        return asks

    gathering = Gathering(
        lambda asks: next(answers), thread=ThreadPoolExecutor(1), locked=LOCKED, locks_of=locks_of
    )

    async def both() -> Any:
        return await asyncio.gather(gathering.answer(1), gathering.answer(2))

    assert [*run(both())] == ["a", "b"]
    assert [asks for asks in named if asks] == [[1]]


def test_whoever_leaves_while_what_they_ask_about_is_locked_leaves_room_for_others() -> None:
    free: list[bool] = []
    gathering = locking(free, locks_of=lambda asks: ["lock"] * len(asks), most=Most(of_one=1))

    async def one_leaves() -> Any:
        leaving = asyncio.create_task(gathering.answer(("stuck", 1)))
        while not gathering._locked_of:
            await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await gathering.answer(("stuck", 2))
        leaving.cancel()
        await asyncio.wait([leaving])
        staying = asyncio.create_task(gathering.answer(("stuck", 3)))
        while not gathering._locked_of:
            await asyncio.sleep(0)
        free.append(True)
        return await staying

    assert run(one_leaves()) == "stuck"
    assert not gathering._locked_of


def test_a_client_who_leaves_takes_no_answer_from_others() -> None:
    work = Counter()
    gathering = Gathering(work, thread=ThreadPoolExecutor(1))

    async def one_leaves() -> Any:
        leaving = asyncio.create_task(gathering.answer(1))
        staying = asyncio.create_task(gathering.answer(2))
        while not work.batches:
            await asyncio.sleep(0)
        leaving.cancel()
        work.free.set()
        return await staying

    assert run(one_leaves()) == 4


def road(answer: Callable[[Any], Any], work: Callable[[Any], Any] = lambda asks: asks, **more: Any) -> Road:
    def refuse(ask: Any, error: TooBusy) -> Any:
        return 503, [(b"x", b"z")], repr(ask).encode()

    def read(path: Sequence[bytes], headers: Any, body: bytes) -> Any:
        return (path, headers[b"host"], body) if body else None

    gathering = Gathering(work, thread=ThreadPoolExecutor(1), locked=LOCKED, locked_seconds=0)
    return Road(re.compile(rb"/call/(\d+)"), read, gathering, answer, refuse, **more)


def answered(
    scope: dict[str, Any], parts: list[bytes], answer: Callable[[Any], Any] = repr, **more: Any
) -> Any:
    def wsgi(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Content-Length", "6")])
        return [b"django"]

    served = application(wsgi)
    served.roads = [
        road(lambda read: (201, [(b"x", b"y")], answer(read).encode()) if answer(read) else None, **more)
    ]
    served.is_our_host = lambda host: host == b"localhost"
    return run(asked(served, scope, parts))


POST = {"content-length": "1"}


def test_a_usual_request_is_answered_by_its_road() -> None:
    status, headers, body = answered(request("/call/7", method="POST", headers=POST), [b"x"])
    assert (status, body) == (201, b"((b'7',), b'localhost', b'x')")
    assert headers == {"x": "y", "content-length": str(len(body))}


@pytest.mark.parametrize(
    ("path", "method", "more", "body"),
    [
        ("/call/7", "GET", {}, b"x"),
        ("/call/7?a=b", "POST", {}, b"x"),
        ("/call/seven", "POST", {}, b"x"),
        ("/call/7/", "POST", {}, b"x"),
        ("/call/7", "POST", {"host": "elsewhere"}, b"x"),
        ("/call/7", "POST", {}, b""),
    ],
)
def test_any_other_request_is_answered_by_django(path: str, method: str, more: Any, body: bytes) -> None:
    scope = request(path, method=method, headers={**POST, **more})
    assert answered(scope, [body])[::2] == (200, b"django")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/call/7", 201),
        ("GET", "/call/7?a=b", 200),
        ("HEAD", "/call/7", 200),
        ("POST", "/call/7", 200),
    ],
)
def test_a_road_is_for_one_method(method: str, path: str, status: int) -> None:
    scope = request(path, method=method, headers=POST)
    assert answered(scope, [b"x"], method="GET")[0] == status


def test_a_road_may_ignore_queries() -> None:
    scope = request("/call/7?a=b", method="POST", headers=POST)
    assert answered(scope, [b"x"], ignores_query=True)[0] == 201


def test_a_request_with_a_header_twice_is_answered_by_django() -> None:
    scope = request("/call/7", method="POST", headers=POST)
    scope["headers"].append((b"authorization", b"a"))
    assert answered(scope, [b"x"])[0] == 201
    scope["headers"].append((b"authorization", b"b"))
    assert answered(scope, [b"x"])[::2] == (200, b"django")


def test_what_the_batch_leaves_is_answered_by_django() -> None:
    scope = request("/call/7", method="POST", headers=POST)
    assert answered(scope, [b"x"], lambda read: "")[::2] == (200, b"django")


def test_a_server_of_some_paths_alone_answers_health_and_nothing_else() -> None:
    def wsgi(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Content-Length", "6")])
        return [b"django"]

    served = application(wsgi)
    served.below = b"/api/v1/gateway/"
    answers = [
        run(asked(served, request(path)))[0]
        for path in ("/api/v1/gateway/rate-card", "/healthz", "/readyz", "/", "/api/v1/me", "/api/v1/gateway")
    ]
    assert answers == [200, 200, 200, 404, 404, 404]


def test_a_road_says_in_its_own_words_that_it_is_too_busy() -> None:
    busy = road(lambda read: None, lambda asks: [LOCKED] * len(asks))
    answer = run(busy.answered((b"7",), [(b"host", b"h")], b"x"))
    assert answer
    assert (answer.status, answer.headers) == (503, [(b"x", b"z"), (b"content-length", b"21")])
    assert answer.body == b"((b'7',), b'h', b'x')"


def test_a_request_that_is_left_and_gets_no_thread_is_refused_in_the_words_of_its_road() -> None:
    def wsgi(environ: dict[str, Any], start: Any) -> list[bytes]:
        raise AssertionError

    served = application(wsgi)
    served.roads = [road(lambda read: None)]
    served.threads.calls = Places(1, name="taken", wait_seconds=0)

    async def both() -> list[Any]:
        scope = request("/call/7", method="POST", headers=POST)
        async with served.threads.calls.one():
            return [
                await asked(served, scope, [b"x"]),
                await asked(served, request("/call/7"), []),
                await asked(served, scope, [b""]),  # which the road does not read
            ]

    usual, other, unread = run(both())
    assert usual == (503, {"x": "z", "content-length": "29"}, b"((b'7',), b'localhost', b'x')")
    for status, headers, body in (other, unread):
        assert (status, headers["retry-after"], json.loads(body)["code"]) == (503, "1", "unavailable")
