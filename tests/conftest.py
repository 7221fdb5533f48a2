"""Starts PostgreSQL and Redis for the run, and a browser. Fixtures of one area are beside its tests.

With DATABASE_URL or REDIS_URL set, the servers they name are used instead. Each run has a test database of
its own; TEST_DATABASE_NAME names it (xdist appends `_gw0` …).
"""

import contextlib
import gc
import os
import threading
from collections.abc import Iterator
from datetime import datetime

import hypothesis
import pytest
import time_machine
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, sync_playwright
from pytest_django import DjangoDbBlocker

from quota.api.gateway.base import GatewayView
from tests.helpers import citus
from tests.helpers import stripe_account as stripe_accounts
from tests.helpers.chromium import chromium
from tests.helpers.databases import (
    copy_role_settings,
    empty_tables_quickly,
    migrated_template,
    wait_for_no_disk,
)
from tests.helpers.failures_at_once import FailuresAtOnce
from tests.helpers.one_browser import OneBrowser, close_window
from tokenplan.kit import clock
from tokenplan.runtime.embedded import embedded_servers, servers_in_use

_servers = contextlib.ExitStack()

# The same examples in every run, and no time limit for one; `make test-all` tries more of them.
# HYPOTHESIS_PROFILE=search tries new examples.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.register_profile("all", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1000)
# A property that fails has noticed the planted fault (tests/mutants); nobody needs the smallest example.
_TRIED = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, phases=_TRIED)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_configure(config: pytest.Config) -> None:
    """Starts the servers once, in the process that starts xdist's workers."""
    if not hasattr(config, "workerinput"):
        # Nothing in var/test has to outlive the run, so nothing waits for the disk.
        servers = embedded_servers(settings.DATA, durable=False)
        _servers.enter_context(servers_in_use(settings.DATA, servers))
        config.pluginmanager.register(FailuresAtOnce(config))
    empty_tables_quickly()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stops them, unless another run uses them too."""
    _servers.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs the longest tests first, so that at the end no core is idle while another runs one of them."""
    items.sort(key=lambda item: item.get_closest_marker("processes") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Where there is no browser yet, it is installed while the first tests run. What was imported and
    collected outlives the run: the garbage collector need not look at it again.
    """
    browses = any(item.get_closest_marker("browser") for item in session.items)
    if browses and not session.config.option.collectonly:
        threading.Thread(target=_install_browser, daemon=True).start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _install_browser() -> None:
    with contextlib.suppress(RuntimeError):  # the first test that needs it says why there is none
        chromium(settings.DATA)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """The test database is a copy: migrating takes seconds in every process, copying a moment."""
    if settings.EMBEDDED_DATABASE or citus.is_named():
        with django_db_blocker.unblock():
            connection.settings_dict["TEST"]["TEMPLATE"] = migrated_template()


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[None]:
    """The test database. At the end every connection to it is closed, so that it can be dropped."""
    with django_db_blocker.unblock():
        if template := connection.settings_dict["TEST"].get("TEMPLATE"):
            copy_role_settings(template)
        else:
            wait_for_no_disk()
        if citus.is_named():
            citus.share_out_test_database()
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if citus.is_named() and not request.config.getvalue("reuse_db"):
            citus.drop_on_workers()


@pytest.fixture(autouse=True)
def gateways_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test travels in time, what gateways ask and what sweeps do is decided then: the database's
    clock does not travel.
    """

    def moment(view: GatewayView) -> datetime | None:
        return timezone.now() if time_machine.escape_hatch.is_travelling() else None

    monkeypatch.setattr(GatewayView, "at", property(moment))
    of_the_database = clock.database_now

    def now() -> datetime:
        return timezone.now() if time_machine.escape_hatch.is_travelling() else of_the_database()

    monkeypatch.setattr(clock, "database_now", now)


@pytest.fixture
def stripe_account(db: None, client: Client) -> Iterator[stripe_accounts.StripeAccount]:
    """A local Stripe for this test alone, called through the real SDK, with our prices published."""
    with stripe_accounts.opened(client) as account:
        yield account


@pytest.fixture(scope="session")
def _browser() -> Iterator[OneBrowser]:
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright runs an event loop in this thread, and Django refuses queries in a thread that has one.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = OneBrowser(playwright, settings.DATA)
        yield browser
        browser.close()


def _is_error(message: ConsoleMessage) -> bool:
    """Whether a line of the console is an error. A declined card, answered 402, is written there too."""
    return message.type == "error" and "402 (Payment Required)" not in message.text


_open_context = pytest.StashKey[BrowserContext]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Closes the browser before the server and the rows that its page may still ask for are removed."""
    context = item.stash.get(_open_context, None)
    if context is not None:
        close_window(context)


@pytest.fixture
def browser_page(_browser: OneBrowser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a fresh browser. The test fails if any script fails or any resource is blocked."""
    context = _browser.new_context(locale="en-US", timezone_id="UTC")
    request.node.stash[_open_context] = context
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if _is_error(message) else None)
    yield page
    assert not errors, errors
