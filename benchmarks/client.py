"""Makes gated calls as fast as possible: authorize, then settle, over HTTP connections that stay open.

It does as little as possible: on one machine, the client takes processor time from the server.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import time
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle

from benchmarks.scratch import Scratch

ESTIMATE = {"input_tokens": 1000, "output_tokens": 100}
USAGE = {"input_tokens": 1000, "output_tokens": 20}


@dataclass
class Times:
    """How long each request took, in seconds, and in `seconds` how long all of them took together."""

    seconds: float = 0.0
    authorize: list[float] = field(default_factory=list)
    settle: list[float] = field(default_factory=list)

    @property
    def calls_per_second(self) -> float:
        return len(self.settle) / self.seconds

    def __add__(self, other: Times) -> Times:
        both = self.authorize + other.authorize, self.settle + other.settle
        return Times(max(self.seconds, other.seconds), *both)


class Client:
    """One HTTP connection to the installation."""

    def __init__(self, target: Scratch) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
        self._headers = {"Authorization": f"Bearer {target.gateway_key}", "Content-Type": "application/json"}

    def call(self, key: str, times: Times) -> None:
        """One gated call; raises RuntimeError unless it was allowed and charged."""
        ask: dict[str, object] = {
            "request_id": uuid.uuid4().hex,
            "key": key,
            "model": "MiniMax-M2.7",
            "estimate": ESTIMATE,
        }
        begun = time.perf_counter()
        held = self.post("/api/v1/gateway/authorize", ask, 201)
        between = time.perf_counter()
        self.post(f"/api/v1/gateway/reservations/{held['reservation']}/settle", {"usage": USAGE}, 200)
        times.authorize.append(between - begun)
        times.settle.append(time.perf_counter() - between)

    def post(self, path: str, body: dict[str, object], expected: int) -> dict[str, str]:
        """The answer to a JSON body; raises RuntimeError for any other status."""
        self._http.request("POST", path, json.dumps(body), self._headers)
        response = self._http.getresponse()
        text = response.read()
        if response.status != expected:
            raise RuntimeError(f"{path} was answered with {response.status}: {text.decode()[:300]}")
        answer: dict[str, str] = json.loads(text)
        return answer


def drive(target: Scratch, *, seconds: float, clients: int, processes: int) -> Times:
    """Makes gated calls for `seconds`, over `clients` connections spread over `processes`."""
    shares = [clients // processes + (number < clients % processes) for number in range(processes)]
    firsts = [sum(shares[:number]) for number in range(processes)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        work = partial(_drive_some, target, seconds, clients)
        return sum(pool.map(work, firsts, shares), Times())


def _drive_some(target: Scratch, seconds: float, clients: int, first: int, share: int) -> Times:
    begun = time.perf_counter()

    def loop(number: int) -> Times:
        client, times = Client(target), Times()
        own = target.keys[number % len(target.keys) :: clients]
        for key in cycle(own):
            if time.perf_counter() - begun >= seconds:
                break
            client.call(key, times)
        return times

    with ThreadPoolExecutor(share) as pool:
        times = sum(pool.map(loop, range(first, first + share)), Times())
    times.seconds = time.perf_counter() - begun
    return times
