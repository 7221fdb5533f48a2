"""Who may open which address. An address of the URLconf that is not in a table of
tests/helpers/address_table.py fails the test.

For a person outside a Team the Team does not exist (404). A member without the permission is refused (403).
A row of another Team does not exist under the address of one's own (404).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from quota.models import SeatRequest
from teams.models import Membership, User
from teams.services import access_tokens
from tests.helpers.address_table import (
    API,
    CREDIT_ACCESS,
    OPEN,
    OTHER_CREDENTIALS,
    OWN_API,
    OWN_PAGES,
    OWN_ROWS,
    SIGNED,
    TEAMS,
)
from tests.helpers.factories import T0, make_user
from tests.helpers.proof import prove
from tests.helpers.tenants import make_rows

pytestmark = pytest.mark.django_db

SIGN_IN = "/accounts/login/?next="
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass
class Scene:
    """A Team with one of each role and each kind of row."""

    slug: str
    people: dict[str, User]
    rows: dict[str, Any]
    events: dict[str, Any]

    def url(self, name: str, role: str = "owner", rows: dict[str, Any] | None = None) -> str:
        kwargs: dict[str, Any] = {"slug": self.slug, **TEAMS[name].fixed}
        kind = TEAMS[name].pk
        if kind == "own event" and rows is None:
            kwargs["pk"] = self.events.get(role, self.events["owner"])
        elif kind:
            kwargs["pk"] = (rows or self.rows)[kind]
        return reverse(name, kwargs=kwargs)


def make_everything() -> Scene:
    made = make_rows()
    return Scene(made.team.slug, made.users, made.rows, made.events)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    with time_machine.travel(T0, tick=False):
        yield make_everything()


def signed_in(user: User) -> Client:
    """Somebody who has just confirmed the password: whether that is asked for is another question below."""
    client = Client(raise_request_exception=True)
    client.force_login(user)
    return prove(client)


def ask(client: Client, method: str, url: str) -> Any:
    """A page gets an empty form; the API gets a body that lacks nothing where it looks at that first."""
    if not url.startswith("/api/"):
        return client.post(url) if method == "POST" else client.generic(method, url)
    body = json.dumps(CREDIT_ACCESS if url.endswith("/credits") else {})
    return client.generic(method, url, "" if method == "GET" else body, content_type="application/json")


def addresses() -> Iterator[tuple[str, URLPattern]]:
    """Every named address of the site, but for the operators' pages and the sign-in library's."""

    def walk(resolver: URLResolver, below: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, below + str(pattern.pattern))
            else:
                yield below + str(pattern.pattern), pattern

    for route, pattern in walk(get_resolver(), ""):
        if not route.startswith(("admin/", "accounts/", "__")):
            yield route, pattern


def test_every_address_is_in_a_table() -> None:
    known = {*TEAMS, *OWN_PAGES, *OWN_API, *OTHER_CREDENTIALS, *OPEN, *SIGNED}
    found = {pattern.name for _, pattern in addresses()}

    assert found - known == set(), "Say in tests/keepers/test_tenancy.py who may open these."
    assert known - found == set(), "These are gone."


def test_every_address_that_names_a_team_is_in_the_teams_table() -> None:
    naming = {pattern.name for route, pattern in addresses() if "slug" in route}

    assert naming == set(TEAMS)


@pytest.mark.slow
def test_each_address_does_what_the_table_says_and_for_nobody_else(scene: Scene) -> None:
    visitors = {role: signed_in(user) for role, user in scene.people.items()}
    visitors |= {"nobody": Client(), "stranger": signed_in(make_user())}
    wrong = []
    for name, address in TEAMS.items():
        for method, roles in address.methods.items():
            for who, client in visitors.items():
                with undone():
                    answer = ask(client, method, scene.url(name, who))
                if not is_right(name, who, answer, allowed=who in roles):
                    wrong.append((name, method, who, answer))

    assert wrong == []


def is_right(name: str, who: str, answer: Any, *, allowed: bool) -> bool:
    status: int = answer.status_code
    if who == "nobody":
        return status == 401 if name in API else answer.headers.get("Location", "").startswith(SIGN_IN)
    if who == "stranger":
        return status == 404
    if not allowed:
        return status == 403
    # Who may is led to Stripe, which is away here.
    if status == 503 and name in API:
        return bool(answer.json()["code"] == "payments_unavailable")
    return status < 500 and status not in (401, 403, 404, 405)


@contextmanager
def undone() -> Iterator[None]:
    """What is written inside is taken back: one person leaves, the next finds everything as it was."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_a_row_of_another_team_is_not_there(scene: Scene) -> None:
    foreign = make_everything().rows
    client = signed_in(scene.people["owner"])
    wrong = []
    for name, address in TEAMS.items():
        for method in address.methods if address.pk else ():
            answer = ask(client, method, scene.url(name, rows=foreign))
            if answer.status_code != 404:
                wrong.append((name, method, answer))

    assert wrong == []


def test_a_token_that_may_only_read_changes_nothing(scene: Scene) -> None:
    owner = scene.people["owner"]
    _, text = access_tokens.create(
        user=owner, name="script", scope="read", expires_in_days=1, by=owner, at=T0
    )
    wrong = []
    for name, address in API.items():
        for method in address.methods:
            headers = {"Authorization": f"Bearer {text}"}
            with undone():
                answer = Client().generic(
                    method, scene.url(name), "", content_type="application/json", headers=headers
                )
            refused = answer.status_code == 403 and answer.json()["code"] == "scope_too_narrow"
            if refused != (method != "GET"):
                wrong.append((name, method, answer))

    assert wrong == []


def test_no_other_method_does_anything(scene: Scene) -> None:
    client = signed_in(scene.people["owner"])
    for name, address in TEAMS.items():
        for method in METHODS:
            if method not in address.methods:
                assert ask(client, method, scene.url(name)).status_code == 405, (name, method)


@pytest.mark.parametrize("name", sorted(OWN_PAGES))
def test_ones_own_pages_ask_to_sign_in(name: str) -> None:
    answer = Client().get(reverse(name, kwargs={"pk": 1} if name in OWN_ROWS else None))

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(SIGN_IN)


@pytest.mark.parametrize("name", sorted(OWN_API))
def test_ones_own_api_answers_401_to_nobody(name: str) -> None:
    url = reverse(name, kwargs={"pk": 1} if name == "api-token" else None)

    assert {ask(Client(), method, url).status_code for method in METHODS} <= {401, 405}


def test_gateways_and_keys_are_not_people(scene: Scene) -> None:
    for client in (Client(), signed_in(scene.people["owner"])):
        for name, kwargs in OTHER_CREDENTIALS.items():
            url = reverse(name, kwargs=kwargs)
            assert {ask(client, method, url).status_code for method in ("GET", "POST")} <= {401, 405}, name


def test_operators_pages_are_for_staff_alone(scene: Scene) -> None:
    client = signed_in(scene.people["owner"])
    names = [
        f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        for model in (User, Membership, SeatRequest)
    ]
    for url in ["/admin/", *(reverse(name) for name in names)]:
        assert client.get(url).status_code == 302
        assert client.get(url).headers["Location"].startswith("/admin/login/")
