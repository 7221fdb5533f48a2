"""A gateway's side of the API: asks, settles, and asks again when there was no answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

REQUEST_TIMEOUT = 30.0
LONGEST_WAIT = 5.0
RECEIPT = {
    "usage",
    "amount_nanousd",
    "from_quota_nanousd",
    "from_credits_nanousd",
    "overrun_nanousd",
    "prices",
}
# The server, or what stands before it, is away: the same request may be sent again.
AWAY = {502, 503, 504}
# The call may be made: asked for the first time, or again after an answer was lost.
HELD = {200, 201}
CLOSED = "reservation_closed"


class NoAnswer(Exception):
    """A request was not answered, or by something that is no answer."""


class Unusable(Exception):
    """Nothing can be replayed here: another address, or another credential, is needed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`seconds` is what the answered attempt took; `attempts` counts it and those before."""

    status: int
    body: dict[str, Any]
    seconds: float
    attempts: int

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(self.body.get("code", ""))


class GatewayClient:
    """One connection to the API. For one thread; close it."""

    def __init__(self, url: str, gateway_key: str, *, patience: float, stop: threading.Event) -> None:
        """`patience`: for how many seconds a request is sent again. `stop` ends the waits in between."""
        self._http = httpx.Client(
            base_url=url,
            timeout=REQUEST_TIMEOUT,
            headers={"Authorization": f"Bearer {gateway_key}", "Content-Type": "application/json"},
        )
        self._patience = patience
        self._stop = stop

    def close(self) -> None:
        self._http.close()

    def authorize(self, *, request_id: str, key: str, model: str, estimate: Mapping[str, int]) -> Answer:
        """201 with a reservation, or a refusal of the call. Raises NoAnswer, Unusable.

        The same request_id again holds nothing twice, so a lost answer costs nothing: while the hold is open
        it is 200 with the reservation, and later 409 `reservation_closed`, which names it too.
        """
        body = {"request_id": request_id, "key": key, "model": model, "estimate": estimate}
        answer = self._post("/api/v1/gateway/authorize", body)
        if answer.status == 401 and answer.code != "key_invalid":
            raise Unusable(f"The gateway's credential is not accepted: {answer.body.get('detail')}")
        # What refuses a call says what to relay to its caller; other 4xx are no answer about this call.
        held = answer.status in HELD and "reservation" in answer.body
        if held or (400 <= answer.status < 500 and "relay" in answer.body):
            return answer
        raise NoAnswer(f"authorize was answered with {answer.status} {answer.code}")

    def settle(self, *, reservation: str, usage: Mapping[str, int]) -> Answer:
        """200 with a receipt. Raises NoAnswer for anything else. Settling twice is settling once."""
        answer = self._post(f"/api/v1/gateway/reservations/{reservation}/settle", {"usage": usage})
        if answer.status != 200 or not answer.body.keys() >= RECEIPT:
            raise NoAnswer(f"settle was answered with {answer.status} {answer.code}")
        return answer

    def _post(self, path: str, body: Mapping[str, Any]) -> Answer:
        content = json.dumps(body).encode()
        give_up = time.monotonic() + self._patience
        attempts = 0
        while True:
            attempts += 1
            begun = time.monotonic()
            try:
                response = self._http.post(path, content=content)
            except httpx.TransportError as error:
                reason, wait = f"{type(error).__name__}: {error}", 1.0
            else:
                if response.status_code not in AWAY:
                    return Answer(response.status_code, _body(response), time.monotonic() - begun, attempts)
                reason, wait = f"status {response.status_code}", _retry_after(response)
            if time.monotonic() + wait > give_up or self._stop.wait(wait):
                raise NoAnswer(f"no answer after {attempts} attempts ({reason})")


def _body(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises NoAnswer for a fault of the server, Unusable when it is no API."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    if response.status_code >= 500:
        raise NoAnswer(f"status {response.status_code}")
    raise Unusable(f"{response.url} is not this API: status {response.status_code} without a JSON object")


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(max(float(response.headers.get("Retry-After", "1")), 0.1), LONGEST_WAIT)
    except ValueError:
        return 1.0
