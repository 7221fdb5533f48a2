"""What the command line says: the gateway, the console, a key; and what else a check may need."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from integrations.contract.callers import ANTHROPIC, PROTOCOLS, Caller
from integrations.contract.console import Console, Watch
from integrations.contract.model import ModelServer
from integrations.contract.proxy import ConsoleProxy

UP_SECONDS = 120
# name, default, what --help says. README.md explains them.
OPTIONS = (
    ("--gateway", None, "URL of the gateway"),
    ("--console", None, "URL of the console"),
    ("--key", None, "sk-cp-…, a key with room in its windows that nobody else uses"),
    ("--model", "MiniMax-M2.7", "a model of the rate card that the gateway serves in both protocols"),
    ("--anthropic-path", "/v1/messages", "what callers of Anthropic's protocol add to the gateway's URL"),
    ("--openai-path", "/v1/chat/completions", "what callers of OpenAI's protocol add"),
    ("--patience", "20", "seconds that a charge may take to arrive"),
    ("--exhausted-key", None, "sk-cp-…, a key whose window is full and that has no Credits"),
    ("--gateway-credential", None, "gw-…: fills the window of --exhausted-key first"),
    ("--model-server", None, "HOST:PORT where the kit serves a model, which the gateway passes calls on to"),
    ("--console-proxy", None, "HOST:PORT where the kit leads to the console; the gateway asks there"),
    ("--fallback", None, "ASKED:RAN, a model that always fails and the one that runs in its place"),
    ("--restart", None, "a shell command that kills the gateway with -9 and starts it again"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("the gateway contract")
    for name, default, about in OPTIONS:
        group.addoption(name, default=default, help=about)
    group.addoption("--durable", action="store_true", help="the gateway keeps on a disk what was used")


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    if missing := [name for name in ("--gateway", "--console", "--key") if not option(session, name)]:
        pytest.exit(f"Needed: {', '.join(missing)}. README.md says how.", returncode=2)


def option(of: pytest.Session | pytest.FixtureRequest, name: str) -> str:
    return str(of.config.getoption(name) or "")


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


@pytest.fixture(scope="session")
def console(request: pytest.FixtureRequest) -> Iterator[Console]:
    console = Console(option(request, "--console"), float(option(request, "--patience")))
    try:
        console.windows(option(request, "--key"))
    except httpx.HTTPError as error:
        pytest.exit(f"The console does not know --key: {error}", returncode=2)
    yield console
    console.close()


@pytest.fixture(scope="session")
def model_or_none(request: pytest.FixtureRequest) -> Iterator[ModelServer | None]:
    """The model server of the kit, where the gateway passes calls on to it."""
    if not (where := option(request, "--model-server")):
        yield None
        return
    server = ModelServer(*address(where))
    yield server
    server.close()


@pytest.fixture
def model(model_or_none: ModelServer | None) -> ModelServer:
    if model_or_none is None:
        pytest.skip("This check needs a model that can be told to fail: give --model-server")
    return model_or_none


@pytest.fixture(scope="session")
def proxy_or_none(request: pytest.FixtureRequest, console: Console) -> Iterator[ConsoleProxy | None]:
    if not (where := option(request, "--console-proxy")):
        yield None
        return
    proxy = ConsoleProxy(*address(where), option(request, "--console"))
    yield proxy
    proxy.close()


@pytest.fixture
def proxy(proxy_or_none: ConsoleProxy | None) -> ConsoleProxy:
    if proxy_or_none is None:
        pytest.skip("This check disturbs the way to the console: give --console-proxy")
    return proxy_or_none


@pytest.fixture(scope="session")
def gateway(
    request: pytest.FixtureRequest, model_or_none: ModelServer | None, proxy_or_none: ConsoleProxy | None
) -> str:
    """Its URL, once somebody listens there."""
    url = option(request, "--gateway").rstrip("/")
    wait_until_it_listens(url)
    return url


def wait_until_it_listens(url: str) -> None:
    deadline = time.monotonic() + UP_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.get(url, timeout=10)
            return
        time.sleep(0.2)
    pytest.fail(f"Nobody listens at {url} after {UP_SECONDS} s", pytrace=False)


@pytest.fixture(params=PROTOCOLS)
def caller(request: pytest.FixtureRequest, gateway: str) -> Caller:
    """A caller of each protocol."""
    return caller_of(request, gateway, request.param)


@pytest.fixture
def callers(request: pytest.FixtureRequest, gateway: str) -> list[Caller]:
    """One of each protocol."""
    return [caller_of(request, gateway, protocol) for protocol in PROTOCOLS]


def caller_of(request: pytest.FixtureRequest, gateway: str, protocol: str) -> Caller:
    path = option(request, "--anthropic-path" if protocol == ANTHROPIC else "--openai-path")
    return Caller(f"{gateway}{path}", protocol, option(request, "--key"), option(request, "--model"))


@pytest.fixture
def watch(request: pytest.FixtureRequest, console: Console) -> Watch:
    """What becomes of the calls of --key from here on."""
    return Watch(console, option(request, "--key"))


@pytest.fixture(scope="session")
def exhausted_key(request: pytest.FixtureRequest, console: Console) -> str:
    """A key that has no room any more."""
    key, credential = option(request, "--exhausted-key"), option(request, "--gateway-credential")
    if not key:
        pytest.skip("This check needs a key whose window is full: give --exhausted-key")
    if credential:
        console.fill(key, option(request, "--model"), credential)
    if all(window["remaining_nanousd"] > 0 for window in console.windows(key)):
        pytest.exit("--exhausted-key has room in its windows: give --gateway-credential too", returncode=2)
    return key


@pytest.fixture
def restart(request: pytest.FixtureRequest, gateway: str) -> Callable[[], None]:
    """Kills the gateway with -9, and returns once it listens again."""
    if not (command := option(request, "--restart")):
        pytest.skip(
            "This check kills the gateway: give --restart, a command that does so and starts it again"
        )

    def act() -> None:
        subprocess.run(command, shell=True, check=True, timeout=UP_SECONDS)
        wait_until_it_listens(gateway)

    return act


@pytest.fixture
def durable(request: pytest.FixtureRequest) -> bool:
    """Whether the gateway promises that a kill -9 loses no charge."""
    return bool(request.config.getoption("--durable"))


@pytest.fixture
def fallback(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The model that is asked for, and the one that runs."""
    asked, _, ran = option(request, "--fallback").partition(":")
    if not ran:
        pytest.skip("This check needs a model that falls back to another: give --fallback ASKED:RAN")
    return asked, ran
