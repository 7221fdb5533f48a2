"""One console and one model server for the run, one proxy for each module: they take a while to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import Console, Gate, Proxy, Upstream


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("litellm")


@pytest.fixture(scope="session")
def console(folder: Path) -> Iterator[Console]:
    console = Console(folder)
    yield console
    console.close()


@pytest.fixture(scope="session")
def upstream(folder: Path) -> Iterator[Upstream]:
    upstream = Upstream(folder)
    yield upstream
    upstream.program.kill()


@pytest.fixture(scope="session")
def gate(console: Console) -> Gate:
    """Between the proxies and the console."""
    return Gate(console.port)


@pytest.fixture(scope="module")
def proxy(
    request: pytest.FixtureRequest, folder: Path, console: Console, gate: Gate, upstream: Upstream
) -> Iterator[Proxy]:
    """Asks the console through the gate. A module may name further settings in `SETTINGS`."""
    gate.open = True
    settings = getattr(request.module, "SETTINGS", {})
    proxy = Proxy(
        folder / request.module.__name__,
        upstream.url,
        TOKENPLAN_URL=gate.url,
        TOKENPLAN_GATEWAY_KEY=console.gateway_key,
        **settings,
    )
    yield proxy
    proxy.program.stop()
