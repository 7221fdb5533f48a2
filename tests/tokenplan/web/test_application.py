"""The life of a web process, and how it answers for its health."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.asgi import application, request
from tests.helpers.event_loop import run
from tokenplan.runtime.folders import web_doors


@pytest.fixture
def collector() -> Iterator[None]:
    """Afterwards the garbage collector is as it was."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("collector")
def test_before_the_first_request_all_that_was_made_is_spared_from_collections(tmp_path: Path) -> None:
    spared: list[tuple[int, tuple[int, int, int]]] = []
    said: list[str] = []

    async def receive() -> dict[str, Any]:
        if said:
            spared.append((gc.get_freeze_count(), gc.get_threshold()))
        return {}

    async def send(message: Any) -> None:
        said.append(message["type"])

    served = application(lambda environ, start_response: [], data=tmp_path)
    made = len(gc.get_objects())
    run(served({"type": "lifespan"}, receive, send))
    ((objects, threshold),) = spared
    assert objects > made / 2
    assert threshold == (20_000, 20, 20)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert web_doors(tmp_path) == {}


def test_healthz_is_answered_without_waiting_for_anything() -> None:
    """Step by step: whatever it waited for would come up here."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    answering = application(lambda environ, start_response: [])(request("/healthz"), receive, send)
    with pytest.raises(StopIteration):
        answering.send(None)
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"ok\n")
