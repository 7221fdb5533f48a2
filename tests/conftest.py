"""The run's own PostgreSQL and Redis, and a browser. Fixtures of one area live beside its tests.

With DATABASE_URL or REDIS_URL set, the servers they name are used instead. Each run has a test database of
its own; TEST_DATABASE_NAME names it (xdist appends `_gw0` …).
"""

import contextlib
import os
from collections.abc import Iterator

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from pytest_django import DjangoDbBlocker

from tests.helpers import stripe_account as stripe_accounts
from tests.helpers.chromium import FLAGS, chromium
from tokenplan.runtime.embedded import embedded_servers, servers_in_use

_servers = contextlib.ExitStack()

# The same examples in every run, and no clock in a verdict. HYPOTHESIS_PROFILE=search looks for new ones.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_configure(config: pytest.Config) -> None:
    """Starts the servers once, in the process that starts all the others."""
    if not hasattr(config, "workerinput"):
        # Nothing in var/test must outlive the run, so it may skip the waits for the disk.
        servers = embedded_servers(settings.DATA, durable=False)
        _servers.enter_context(servers_in_use(settings.DATA, servers))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops them, unless another run uses them too."""
    _servers.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that no core waits for the other's last one."""
    items.sort(key=lambda item: item.get_closest_marker("processes") is None)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database; it can be dropped at the end also while a thread of a test has a connection."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def stripe_account(db: None, client: Client) -> Iterator[stripe_accounts.StripeAccount]:
    """A Stripe of this test's own, reached by the real SDK, with our prices on sale."""
    with stripe_accounts.opened(client) as account:
        yield account


@pytest.fixture(autouse=True)
def _nothing_counted_before(
    request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """The cache counts tries to sign in and mails to an address. A test that commits leaves it filled: its
    table is no model's, so nothing else empties it.
    """
    yield
    marker = request.node.get_closest_marker("django_db")
    commits = {"live_server", "transactional_db"} & set(request.fixturenames)
    if commits or (marker and marker.kwargs.get("transaction")):
        with django_db_blocker.unblock():
            cache.clear()


@pytest.fixture(scope="session")
def _browser() -> Iterator[Browser]:
    executable = chromium(settings.DATA)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's synchronous interface runs an event loop in this thread; Django would refuse queries
        # beside it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


def _is_error(message: ConsoleMessage) -> bool:
    """That a payment page answers a declined card with 402 is told to the console too."""
    return message.type == "error" and "402 (Payment Required)" not in message.text


_open_context = pytest.StashKey[BrowserContext]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """The browser is closed before any server or row that its page may still be asking for is gone."""
    context = item.stash.get(_open_context, None)
    if context is not None:
        context.close()


@pytest.fixture
def browser_page(_browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a browser without history. Fails the test on any script error or blocked resource."""
    context = _browser.new_context(locale="en-US", timezone_id="UTC")
    request.node.stash[_open_context] = context
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if _is_error(message) else None)
    yield page
    assert not errors, errors
