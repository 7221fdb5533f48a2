"""Gated calls and calls through LiteLLM's proxy, in turns: for the target of their cost and of their rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from benchmarks.calls import READ, SETTLE, completion, gated_calls, shared_out
from benchmarks.client import Talk, converse
from benchmarks.processor_time import processor_time, seconds_of
from benchmarks.run import Run

CONNECTIONS = (16, 64)


@dataclass(frozen=True, slots=True)
class Turn:
    """Calls a second, and what one took of processor time, in milliseconds; of the proxy all is `web`."""

    rate: float
    web: float
    database: float = 0.0

    @property
    def both(self) -> float:
        return self.web + self.database


@cache
def beside_litellm(run: Run, connections: int) -> tuple[list[Turn], list[Turn]]:
    """Our turns and the proxy's. Raises RuntimeError where it is not installed or does not start."""
    run.ours, run.litellm  # noqa: B018  (both are started before either is measured)
    completions(run, connections, seconds=min(run.sizes.seconds, 2.0))  # warms it up
    run.say(f"Gated calls and calls through LiteLLM in turns, {connections} connections")
    ours, theirs = run.in_turns(
        lambda: gated(run, connections), lambda: completions(run, connections, run.sizes.seconds)
    )
    return ours, theirs


def gated(
    run: Run, connections: int, talk: Callable[[str, Sequence[str], float], Talk] = gated_calls
) -> Turn:
    """A turn of gated calls over all keys, or of another talk that ends with a settle."""
    target = run.ours
    before = processor_time(target)
    shares = shared_out(target.keys, connections)
    times = converse(target.port, [talk(target.gateway_key, keys, run.sizes.seconds) for keys in shares])
    spent, calls = processor_time(target) - before, len(times.of[SETTLE])
    return Turn(times.rate(SETTLE), 1000 * spent.web / calls, 1000 * spent.database / calls)


def completions(run: Run, connections: int, seconds: float) -> Turn:
    """A turn of calls of the mock model."""
    proxy = run.litellm
    before = seconds_of(proxy.pid)
    times = converse(proxy.port, [completion(proxy.key, seconds) for _ in range(connections)])
    return Turn(times.rate(READ), 1000 * (seconds_of(proxy.pid) - before) / len(times.of[READ]))
