"""A signed-in browser that speaks to the API, and a script with an access token."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from teams.models import Membership
from teams.services import access_tokens
from tests.helpers.proof import prove


def signed_in(membership: Membership) -> Client:
    client = Client()
    client.force_login(membership.user)
    return prove(client)


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """The status, and the answer's JSON where it has a body."""
    answer = client.generic(
        method,
        f"/api/v1{path}",
        b"" if body is None else json.dumps(body),
        content_type="application/json",
        headers=headers,
    )
    return answer.status_code, answer.json() if answer.content else None


def token(membership: Membership, scope: str) -> dict[str, str]:
    """The header of a script."""
    _, text = access_tokens.create(
        user=membership.user, name="ci", scope=scope, expires_in_days=1, by=membership.user, at=timezone.now()
    )
    return {"Authorization": f"Bearer {text}"}
