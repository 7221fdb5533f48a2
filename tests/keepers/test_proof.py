"""Which addresses ask for a recent proof (teams/proof.py): a stolen session must not become the account.

Address, passkey, token, key (shown and rotated; whoever owns it may always revoke it), transfer, deletion,
payment contacts. An address of the URLconf that asks and is not in this list fails, and so does one that no
longer asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from teams.models import User
from teams.passkeys import sealed
from teams.services import access_tokens
from tests.helpers.address_table import OWN_ROWS, TEAMS
from tests.helpers.factories import T0
from tests.helpers.passkeys import ADD, SoftPasskey, options
from tests.helpers.proof import prove
from tests.helpers.totp import app_shown
from tests.keepers.test_tenancy import Scene, make_everything

pytestmark = pytest.mark.django_db

PROVED = {
    "account-key": {"GET"},
    "account-key-rotate": {"GET", "POST"},
    "account-tool": {"GET"},
    "account-session-end": {"POST"},
    "account-sessions-end-others": {"POST"},
    "account-tokens": {"POST"},
    "account_email": {"POST"},
    "account_set_password": {"GET", "POST"},
    "mfa_activate_totp": {"GET", "POST"},
    "mfa_add_webauthn": {"GET", "POST"},
    "mfa_deactivate_totp": {"GET", "POST"},
    "mfa_download_recovery_codes": {"GET"},
    "mfa_edit_webauthn": {"GET", "POST"},
    "mfa_generate_recovery_codes": {"GET", "POST"},
    "mfa_remove_webauthn": {"GET", "POST"},
    "mfa_view_recovery_codes": {"GET"},
    "team-api-key-rotate": {"GET", "POST"},
    "team-api-key-show": {"GET"},
    "team-api-keys": {"POST"},
    "team-delete": {"POST"},
    "team-billing-contacts": {"POST"},
    "team-invoice-details": {"POST"},
    "team-portal": {"POST"},
    "team-transfer": {"POST"},
    "api-api-key-reveal": {"POST"},
    "api-api-key-rotate": {"POST"},
    "api-api-keys": {"POST"},
    "api-key-reveal": {"POST"},
    "api-key-rotate": {"POST"},
    "api-portal": {"POST"},
    "api-team": {"DELETE"},
    "api-tokens": {"POST"},
    "api-transfer": {"POST"},
}
ASKS = [(name, method) for name, methods in PROVED.items() for method in sorted(methods)]
# Pages of operators, which `tests/quota/admin/test_admin_after_proof.py` asks.
OF_OPERATORS = {
    "quota_gateway_replace-credential": {"POST"},
    "teams_team_hand-over": {"POST"},
    "teams_user_remove-passkeys": {"POST"},
}
# Stripe is away here, so these write nothing even with the proof.
AT_STRIPE = {"team-invoice-details", "team-portal", "api-portal"}
# These add a second factor; the others are about one that is there.
ADDING = {"mfa_activate_totp", "mfa_add_webauthn"}
SESSION = "account-session-end"
PASSKEYS = {name for name in PROVED if name.startswith("mfa_") and name not in ADDING}
TOKEN = {"name": "ci", "scope": "manage", "expires_in_days": 7}
# What each address would do at once with the proof; transfer and deletion get the row's own values below.
BODIES: dict[str, dict[str, Any]] = {
    "account-key-rotate": {"overlap": "0"},
    "account-tokens": TOKEN,
    "account_email": {"email": "thief@example.com", "action_add": ""},
    "account_set_password": {"password1": "thiefs-horse-battery", "password2": "thiefs-horse-battery"},
    "api-api-key-rotate": {"overlap_seconds": 0},
    "api-api-keys": {"name": "batch"},
    "api-key-rotate": {"overlap_seconds": 0},
    "api-tokens": TOKEN,
    "mfa_edit_webauthn": {"name": "other"},
    "team-billing-contacts": {"contacts": "books@example.com"},
    "team-api-key-rotate": {"overlap": "0"},
    "team-api-keys": {"name": "batch"},
}


def walk(resolver: URLResolver) -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from walk(pattern)
        else:
            yield pattern


def asked_by(pattern: URLPattern) -> frozenset[str]:
    """The methods for which this address asks, as its decorator or its class says."""
    view: Any = pattern.callback
    return getattr(view, "needs_proof", frozenset()) | getattr(
        getattr(view, "cls", None), "proof", frozenset()
    )


def test_the_addresses_that_ask_for_a_proof_are_those_of_the_list() -> None:
    asking = {str(pattern.name): set(asked_by(pattern)) for pattern in walk(get_resolver())}

    assert {name: methods for name, methods in asking.items() if methods} == PROVED | OF_OPERATORS


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Scene]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    settings.BASE_URL = "http://localhost:8000"  # where passkeys can be added
    with time_machine.travel(T0, tick=False):
        yield make_everything()


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def url_of(scene: Scene, name: str) -> str:
    if name in TEAMS:
        return scene.url(name)
    rows = UserSession.objects.all() if name == SESSION else Authenticator.objects.filter(type="webauthn")
    return reverse(name, kwargs={"pk": rows.get().pk} if name in OWN_ROWS else None)


def a_phone(owner: User) -> None:
    """Where the Owner is signed in too."""
    session = session_of(owner).session
    UserSession.objects.create(
        user=owner, session_key=session.session_key, ip="127.0.0.1", user_agent="phone", created_at=T0
    )


def with_a_passkey(scene: Scene, name: str) -> str:
    """Where a recent proof is asked for first, now that the Owner has what the address is about."""
    owner = scene.people["owner"]
    if "session" in name:
        a_phone(owner)
    if name not in PASSKEYS:
        return "/accounts/reauthenticate/code/"
    Authenticator.objects.create(user=owner, type="webauthn", data={"name": "phone"})
    codes = Authenticator.objects.create(user=owner, type="recovery_codes", data={"used_mask": 0})
    codes.data["seed"] = sealed("0" * 80)
    codes.save()
    Authenticator.objects.create(user=owner, type="totp", data={"secret": sealed("A" * 32)})
    return "/accounts/reauthenticate/passkey/"


def body_of(scene: Scene, name: str) -> dict[str, Any]:
    if name == "team-delete":
        return {"name": scene.people["owner"].memberships.get(team__slug=scene.slug).team.name}
    if name == "api-transfer":
        return {"member": scene.rows["member"]}
    return BODIES.get(name, {})


def ask(client: Client, scene: Scene, name: str, method: str, **headers: str) -> Any:
    url, body = url_of(scene, name), body_of(scene, name)
    if url.startswith("/api/"):
        return client.generic(
            method, url, json.dumps(body), content_type="application/json", headers=headers or None
        )
    return client.post(url, body) if method == "POST" else client.generic(method, url)


def passkey_made_by(client: Client) -> dict[str, str]:
    made = SoftPasskey().made(options(client.get(ADD)))
    return {"name": "phone", "credential": json.dumps(made)}


def code_made_by(client: Client) -> dict[str, str]:
    return {"code": app_shown(client.get(reverse("mfa_activate_totp")).content.decode()).code()}


def everything() -> dict[str, list[Any]]:
    """Every row, but for sessions: what was typed waits there for the proof."""
    models = [model for model in apps.get_models() if model._meta.app_label not in ("sessions", "admin")]
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values_list())
        for model in models
        if model._meta.managed
    }


def session_of(user: User) -> Client:
    """A stolen session: signed in, and no more."""
    client = Client()
    client.force_login(user)
    return client


def without_password(scene: Scene) -> User:
    owner = scene.people["owner"]
    owner.set_unusable_password()
    owner.save()
    return owner


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), ASKS)
def test_without_a_proof_each_asks_for_one_and_has_written_nothing(
    scene: Scene, name: str, method: str
) -> None:
    with_a_passkey(scene, name)
    client = session_of(scene.people["owner"])
    before = everything()

    answer = ask(client, scene, name, method)

    if name.startswith("api-"):
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
    else:
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert everything() == before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), ASKS)
def test_whoever_has_no_password_is_asked_all_the_same(scene: Scene, name: str, method: str) -> None:
    way = with_a_passkey(scene, name)
    client = session_of(without_password(scene))
    before = everything()

    answer = ask(client, scene, name, method)

    if name.startswith("api-"):
        assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
    else:
        assert answer.headers["Location"].startswith(f"{way}?next=")
    assert everything() == before


@pytest.mark.parametrize(("name", "method"), [ask for ask in ASKS if ask[0].startswith("api-")])
def test_a_token_that_may_manage_is_refused_there(scene: Scene, name: str, method: str) -> None:
    owner = scene.people["owner"]
    _, text = access_tokens.create(
        user=owner, name="script", scope="manage", expires_in_days=1, by=owner, at=T0
    )
    bearer = {"Authorization": f"Bearer {text}"}
    assert Client().get("/api/v1/me", headers=bearer).status_code == 200  # and marks the token as used
    before = everything()

    answer = ask(Client(), scene, name, method, **bearer)

    assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
    assert everything() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method"), [ask for ask in ASKS if ask[1] != "GET" and ask[0] not in AT_STRIPE]
)
def test_control_with_the_proof_the_same_request_is_done(scene: Scene, name: str, method: str) -> None:
    owner = without_password(scene) if name == "account_set_password" else scene.people["owner"]
    if name in ("team-delete", "api-team"):
        scene.people["owner"].memberships.get(team__slug=scene.slug).team.seats.update(removed_at=T0)
    with_a_passkey(scene, name)
    client = prove(session_of(owner))
    made = {"mfa_add_webauthn": passkey_made_by, "mfa_activate_totp": code_made_by}.get(name)
    body = made(client) if made else None
    before = everything()

    answer = client.post(reverse(name), body) if body else ask(client, scene, name, method)

    assert answer.status_code in (200, 201, 204, 302), answer
    if not name.endswith("key-reveal"):
        assert everything() != before


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["account-key-revoke", "account-token-revoke", "api-key", "api-token"], ids=str
)
def test_ones_own_key_and_tokens_are_revoked_without_one(
    scene: Scene, name: str, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    owner = scene.people["owner"]
    token, _ = access_tokens.create(user=owner, name="a", scope="read", expires_in_days=1, by=owner, at=T0)
    client = session_of(owner)
    url = reverse(name, kwargs={"pk": token.pk}) if "token" in name else scene.url(name)

    answer = client.delete(url) if name.startswith("api-") else client.post(url)

    assert answer.status_code in (200, 204, 302)
    token.refresh_from_db()
    key = owner.memberships.get(team__slug=scene.slug).keys.get()
    assert (token.revoked_at if "token" in name else key.revoked_at) == T0
