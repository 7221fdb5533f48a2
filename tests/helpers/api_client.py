"""Callers of the API, over Django's test client: a gateway, the holder of a key, a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from quota.models import UsageEvent
from quota.services.gateways import create_gateway
from teams.models import Membership, User
from teams.services import access_tokens
from teams.services.keys import reveal_key
from tests.helpers import factories
from tests.helpers.factories import T0
from tests.helpers.proof import prove

V1 = "/api/v1"
JSON = "application/json"


@dataclass
class Answer:
    """Status, headers and the body, read."""

    status: int
    headers: Any
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["code"])


@dataclass
class Caller:
    """Sends JSON with one credential."""

    credential: str | None = None
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`raw` is sent instead of `body`."""
        headers = dict(headers or {})
        if self.credential is not None:
            headers.setdefault("Authorization", f"Bearer {self.credential}")
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        path = path if path.startswith("/") else f"{V1}/{path}"
        response: Any = self.client.generic(method, path, data, content_type=JSON, headers=headers)
        content = response.getvalue()
        is_json = "json" in response.headers.get("Content-Type", "")
        read = json.loads(content) if is_json else content.decode()
        return Answer(response.status_code, response.headers, read)

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.send("POST", path, body, headers=headers)

    def put(self, path: str, body: Any = None) -> Answer:
        return self.send("PUT", path, body)

    def patch(self, path: str, body: Any = None) -> Answer:
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)


def gateway_caller(name: str = "edge") -> Caller:
    return Caller(create_gateway(name=name, at=T0, by=None)[1])


def key_caller(membership: Membership) -> Caller:
    return Caller(factories.key_of(membership))


def person(user: User) -> Caller:
    """Signed in by session, and just confirmed to be the one."""
    caller = Caller()
    caller.client.force_login(user)
    prove(caller.client)
    return caller


def script_of(user: User, scope: str = "manage") -> Caller:
    """With a personal access token."""
    _, text = access_tokens.create(user=user, name="script", scope=scope, expires_in_days=30, by=user, at=T0)
    return Caller(text)


@dataclass
class Office:
    """A Max seat with its key, and a gateway that speaks HTTP. Windows: $9.90 in 5 hours, $99 in a week."""

    scene: factories.Scene
    gateway: Caller
    key: str

    def ask(self, calls: int = 1, *, request_id: str = "r1", **changes: Any) -> Answer:
        """`penny` costs a cent a call."""
        body = {"request_id": request_id, "key": self.key, "model": "penny", "estimate": {"calls": calls}}
        return self.gateway.post("gateway/authorize", body | changes)

    def settle(self, reservation: str, calls: int) -> Answer:
        return self.gateway.post(f"gateway/reservations/{reservation}/settle", {"usage": {"calls": calls}})

    def used(self) -> int:
        return sum(UsageEvent.objects.values_list("amount_nanousd", flat=True))


def make_office(**kwargs: Any) -> Office:
    scene = factories.make_scene(**kwargs)
    return Office(scene, gateway_caller(), reveal_key(scene.owner.keys.get()))


def relayed(
    status: int, kind: str, code: str, message: str, request_id: str = "r1", **headers: str
) -> dict[str, Any]:
    error = {"type": kind, "message": message}
    return {
        "status": status,
        "headers": {"Content-Type": "application/json"} | headers,
        "bodies": {
            "anthropic": {"type": "error", "error": error, "request_id": request_id},
            "openai": {"error": error | {"param": None, "code": code}},
        },
    }


def rate_limits(answer: Answer) -> dict[str, str]:
    """The two fields of the answer, which is to have them."""
    return {name: answer.headers[name] for name in ("RateLimit-Policy", "RateLimit")}
