"""Opening a page of the operators changes nothing: no row is written or locked, no task is enqueued, Stripe
hears nothing.

Every address of the admin is asked with GET, in a world that has a row of each kind.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from billing.models import Promotion
from quota.errors import ModelUnknown
from quota.models import BulkAction, JobProgress, QuarantinedRow, ReconcileRun
from quota.services.quarantine import RejectedRow, keep_rejected
from quota.services.refusals import remember_refusal
from quota.services.windows_history import close_windows
from teams.models import JobRun
from tests.helpers.bought import say_promotion
from tests.helpers.factories import T0, key_of
from tests.helpers.staff import staff
from tests.helpers.stripe_says import put_on_sale
from tests.helpers.world import Home, all_rows, world

pytestmark = pytest.mark.django_db
AT = T0 + timedelta(days=9)
# To a row's page in the console, to the sign-in page, and from an address to the same with a slash.
LEADS_ELSEWHERE = {"view_on_site", "None"}
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|TRUNCATE)\b|\bFOR (NO KEY )?UPDATE\b", re.IGNORECASE)


class Listener(Thread):
    """Stands where Stripe would be, and hangs up on whoever asks."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.asked = 0

    def run(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            self.asked += 1
            connection.close()


@pytest.fixture
def stripe() -> Iterator[Listener]:
    listener = Listener()
    listener.start()
    base = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    with override_settings(STRIPE_API_BASE=base):
        yield listener
    listener.socket.shutdown(socket.SHUT_RDWR)
    listener.socket.close()
    listener.join()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    tasks: list[object] = []
    monkeypatch.setattr("tokenplan.kit.enqueue._send", tasks.append)
    return tasks


def patterns(resolver: URLResolver, below: str = "") -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        route = below + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, route)
        elif route.startswith("admin/"):
            yield pattern


def rest_of_the_world(home: Home) -> None:
    """A row of each kind that the world has none of."""
    Group.objects.create(name="support")
    Authenticator.objects.create(user=home.owner_user, type="webauthn", data={"name": "phone"})
    BulkAction.objects.create(team=home.team, by=home.owner_user, verb="invite", created_at=T0)
    ReconcileRun.objects.create(began_at=T0, worked_at=T0, after_transaction=1)
    JobRun.objects.create(job="quota.reconcile", began_at=T0)
    row = RejectedRow({"id": "e1"}, "reported_too_late", "Too late")
    keep_rejected(gateway=home.gateway, kind=QuarantinedRow.Kind.EVENT, rows=[row], at=T0)
    remember_refusal(
        gateway=home.gateway,
        key_text=key_of(home.bob),
        request_id="req-8",
        model="x",
        refusal=ModelUnknown("x"),
        at=T0,
    )
    close_windows(at=AT)
    JobProgress.objects.get_or_create(job="close_windows")


def row_of(name: str) -> Model:
    """Of the model whose page the address is."""
    models = {f"{model._meta.app_label}_{model._meta.model_name}": model for model in site._registry}
    (model,) = (model for page, model in models.items() if name.startswith(f"{page}_"))
    row = model._default_manager.order_by("pk").last()
    assert row is not None, name
    return row


def addresses(home: Home) -> dict[str, str]:
    """Every address of the admin, by what it is called."""
    found = {}
    person, team = home.owner_user.pk, home.team.pk
    ours = {
        "support-search": reverse("support-search"),
        "support-person": reverse("support-person", args=[person]),
        "support-bars": reverse("support-bars", args=[person]) + f"?of=bar-{home.owner.pk}",
        "support-team": reverse("support-team", args=[team]),
    }
    for pattern in patterns(get_resolver()):
        name, converters = str(pattern.name), set(pattern.pattern.converters)
        if name in ours:
            found[name] = ours[name]
        elif name == "app_list":
            found[name] = reverse(f"admin:{name}", args=["quota"])
        elif name not in LEADS_ELSEWHERE:
            # What a button would send, in the address.
            found[name] = reverse(f"admin:{name}", args=[row_of(name).pk] if converters else ()) + (
                "?confirmed=yes&post=yes&reason=x" if converters else ""
            )
    return found | {"support-person then": found["support-person"] + "?at=2026-06-04T10:02"}


@pytest.mark.slow
def test_opening_any_page_of_the_operators_changes_nothing(stripe: Listener, sent: list[object]) -> None:
    home = world()
    rest_of_the_world(home)
    with time_machine.travel(AT, tick=False):
        client = staff(superuser=True)
        pages = addresses(home)
        sent.clear()
        before, written, opened = all_rows(), {}, {}
        for name, url in pages.items():
            with CaptureQueriesContext(connection) as captured:
                opened[name] = client.get(url).status_code
            if writes := [query["sql"] for query in captured if WRITES.search(query["sql"])]:
                written[name] = writes

    assert written == {}
    assert (stripe.asked, sent) == (0, [])
    assert all_rows() == before
    others = {name: status for name, status in opened.items() if status not in (200, 403)}
    assert others == {"login": 302, "logout": 405, "password_change": 302}
    assert sum(status == 200 for status in opened.values()) > 150


def test_what_is_done_by_a_button_would_be_noticed(stripe: Listener, sent: list[object]) -> None:
    put_on_sale()
    say_promotion("SPRING")
    form = {"action": "deactivate", "_selected_action": Promotion.objects.get().pk, "reason": "x"}

    with CaptureQueriesContext(connection) as captured:
        staff(superuser=True).post(reverse("admin:billing_promotion_changelist"), form)

    assert stripe.asked > 0
    assert [query for query in captured if WRITES.search(query["sql"])] != []
