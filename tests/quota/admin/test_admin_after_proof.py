"""What outlives an operator's session is done after a recent proof alone: a Team that is handed over, a
gateway's credential, a second factor that is removed, rights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from quota.models import Gateway
from teams.models import AuditEntry, Team, User
from tests.helpers.admin_forms import hidden
from tests.helpers.admin_urls import verb_url
from tests.helpers.factories import make_gateway, make_team, make_user, owner_of
from tests.helpers.proof import prove

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
Act = tuple[str, dict[str, Any]]


def team_handed_over() -> Act:
    new = make_user()
    return verb_url(make_team(), "hand-over"), {"email": new.email, "reason": "gone", "confirmed": "yes"}


def gateway_made() -> Act:
    return reverse("admin:quota_gateway_add"), {"name": "thief", "reason": "theft"}


def credential_replaced() -> Act:
    url = verb_url(make_gateway(), "replace-credential")
    return url, {"overlap_hours": 1, "reason": "theft"}


def second_factor_removed() -> Act:
    user = make_user()
    Authenticator.objects.create(user=user, type="webauthn", data={"name": "phone"})
    return verb_url(user, "remove-passkeys"), {"reason": "lost"}


def rights_given() -> Act:
    user = make_user()
    values = {"name": "", "is_staff": "on", "is_superuser": "on", "reason": "theft"}
    return reverse("admin:teams_user_change", args=[user.pk]), values


def group_widened() -> Act:
    group = Group.objects.create(name="support")
    return reverse("admin:auth_group_change", args=[group.pk]), {"name": "all", "reason": "theft"}


ACTS = (
    team_handed_over,
    gateway_made,
    credential_replaced,
    second_factor_removed,
    rights_given,
    group_widened,
)


@pytest.fixture
def stolen() -> Client:
    """A superuser's session: signed in, and no more."""
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    return client


def complete(client: Client, act: Act) -> Act:
    """With the hidden fields that the page of the form has."""
    url, values = act
    return url, {**hidden(client.get(url)), **values}


def state() -> list[object]:
    models: tuple[Any, ...] = (AuditEntry, Authenticator, Gateway, Group, Team, User)
    owners = [owner_of(team).user_id for team in Team.objects.filter(default_for=None)]
    return [owners, *(list(model.objects.order_by("pk").values_list()) for model in models)]


@pytest.mark.parametrize("make", ACTS)
def test_without_a_proof_it_is_asked_for_and_the_act_is_done_once_it_is_given(
    stolen: Client, make: Callable[[], Act]
) -> None:
    url, values = complete(stolen, make())
    before = state()

    asked = stolen.post(url, values)

    assert asked.status_code == 302
    assert asked.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert state() == before
    stolen.post(asked.headers["Location"], {"password": PASSWORD})
    assert state() != before


@pytest.mark.parametrize("make", ACTS)
def test_control_with_a_proof_it_is_done_at_once(stolen: Client, make: Callable[[], Act]) -> None:
    url, values = complete(stolen, make())
    before = state()

    prove(stolen).post(url, values)

    assert state() != before


@pytest.mark.parametrize("make", ACTS)
def test_whoever_may_not_is_refused_and_is_asked_for_nothing(make: Callable[[], Act]) -> None:
    url, values = make()
    user = make_user()
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client = Client()
    client.force_login(user)
    before = state()

    assert client.post(url, values).status_code == 403
    assert state() == before
