"""The console's side of the contract, as this package uses it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from tokenplan_litellm.prices import Card, card_from

TIMEOUT = httpx.Timeout(10.0, connect=3.0)
HELD = frozenset({200, 201})
# The console, or what stands before it, cannot answer now: the same request may be sent again.
AWAY = frozenset({408, 500, 502, 503, 504})
BETWEEN_TRIES = 0.25
# Fields of a settlement. A console that knows fewer refuses the row: leave out here what it does not know.
SETTLEMENT_FIELDS = frozenset(
    {"reservation", "id", "usage", "model", "estimated", "final", "occurred_at", "agent"}
)


class Away(Exception):
    """The console has not answered, or not as a console does. Nothing is known of what was asked."""


@dataclass(frozen=True, slots=True)
class Held:
    """What authorize has set aside. `expires_at` is by the console's clock. `headers` are quota headers."""

    reservation: str
    expires_at: datetime
    nanousd: int
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The console has said no. `relay` is what it wants the caller told: status, headers, bodies."""

    def __init__(self, code: str, relay: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.relay = relay


class Asking:
    """Asks before calls, within an event loop."""

    def __init__(self, url: str, gateway_key: str, patience: float) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=TIMEOUT, headers=_headers(gateway_key))
        self._patience = patience

    async def authorize(self, body: Mapping[str, Any]) -> Held:
        """Raises Refused and Away. The same body again, so a lost answer holds nothing twice."""
        give_up = time.monotonic() + self._patience
        while True:
            try:
                response = await self._http.post("/api/v1/gateway/authorize", json=body)
                if response.status_code not in AWAY:
                    return _held(response)
                reason = f"status {response.status_code}"
            except httpx.TransportError as error:
                reason = type(error).__name__
            if time.monotonic() + BETWEEN_TRIES > give_up:
                raise Away(reason)
            await asyncio.sleep(BETWEEN_TRIES)

    async def close(self) -> None:
        await self._http.aclose()


class Reporting:
    """Reports calls and reads the rate card, within a thread of its own."""

    def __init__(self, url: str, gateway_key: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT, headers=_headers(gateway_key))
        self._etag = ""
        self._card: Card | None = None

    def settle(self, rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        """Sends up to 1,000 settlements. Returns the rejected ones, each with its code. Raises Away: all of
        them are to be sent again, and none of them counts twice.
        """
        sent = [{name: row[name] for name in row if name in SETTLEMENT_FIELDS} for row in rows]
        body = self._json("POST", "/api/v1/gateway/settlements", {"settlements": sent})
        try:
            return {row["index"]: str(row["code"]) for row in body["rejected"]}
        except (KeyError, TypeError):
            raise Away("settlements were not answered by a console") from None

    def release(self, reservation: str) -> str | None:
        """Lets go of what is held. Returns a code where the console refuses. Raises Away."""
        return self._on_hold(reservation, "release", {})

    def lengthen(self, reservation: str, seconds: int) -> str | None:
        """Keeps what is held for so many seconds from now. Returns a code where the console refuses. Raises
        Away.
        """
        return self._on_hold(reservation, "extend", {"lifetime_seconds": seconds})

    def rate_card(self) -> Card:
        """The rate card in force. Raises Away."""
        response = self._send("GET", "/api/v1/gateway/rate-card", None, {"If-None-Match": self._etag})
        if response.status_code == 304 and self._card:
            return self._card
        if response.status_code != 200:
            raise Away(f"the rate card was answered with {response.status_code}")
        try:
            self._card = card_from(response.json())
        except (ValueError, KeyError, TypeError):
            raise Away("the rate card was not answered by a console") from None
        self._etag = response.headers.get("ETag", "")
        return self._card

    def close(self) -> None:
        self._http.close()

    def _on_hold(self, reservation: str, verb: str, body: Mapping[str, Any]) -> str | None:
        response = self._send("POST", f"/api/v1/gateway/reservations/{reservation}/{verb}", body)
        if response.status_code == 200:
            return None
        code = _problem(response).get("code")
        if response.status_code in (404, 409, 422) and isinstance(code, str):
            return code
        raise Away(f"{verb} was answered with {response.status_code}")

    def _json(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        response = self._send(method, path, body)
        if response.status_code != 200:
            raise Away(
                f"{path} was answered with {response.status_code} {_problem(response).get('code', '')}"
            )
        return _problem(response)

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise Away(type(error).__name__) from None


def _headers(gateway_key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {gateway_key}"}


def _held(response: httpx.Response) -> Held:
    body = _problem(response)
    try:
        if response.status_code in HELD:
            parts = [body.get(f"from_{part}_nanousd") or 0 for part in ("quota", "credits", "balance")]
            return Held(
                reservation=str(body["reservation"]),
                expires_at=datetime.fromisoformat(body["expires_at"]),
                nanousd=int(body.get("estimate_nanousd") or sum(parts)),
                headers={n: v for n, v in response.headers.items() if n.lower().startswith("ratelimit")},
            )
        if "relay" in body and isinstance(body.get("code"), str):
            raise Refused(body["code"], body["relay"])
    except (KeyError, TypeError, ValueError):
        pass
    raise Away(f"authorize was answered with {response.status_code} {body.get('code', '')}".strip())


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
