"""How long authorize takes at half of the peak rate, beside the bare view at the same rate.

Calls arrive at moments of their own and not when an answer has come, and what had to wait counts from the
moment at which it was due: a server that stops for a second has not answered one call late, but hundreds.
"""

from __future__ import annotations

from benchmarks.calls import AUTHORIZE, READ, SETTLE, gated_call, gated_calls, shared_out
from benchmarks.client import Talk, Times, arrive, converse, expect, request
from benchmarks.figures import Figure, Goal, percentile
from benchmarks.run import Run

AT_ONCE = 64
# So many connections are open: more than there are ever calls under way, unless the server stops.
OPEN = 128


def measure(run: Run) -> list[Figure]:
    """In milliseconds, from all rounds together."""
    target, seconds, bare_port = run.ours, run.sizes.seconds, run.bare_port
    shares = shared_out(target.keys, AT_ONCE)
    peak = converse(target.port, [gated_calls(target.gateway_key, keys, seconds) for keys in shares])
    half = peak.rate(SETTLE) / 2
    run.say(f"Calls arrive at {half:.0f} a second, half of the peak rate")
    turn = iter(range(10**9))

    def call() -> Talk:
        return gated_call(target.gateway_key, target.keys[next(turn) % len(target.keys)])

    def ours() -> Times:
        return arrive(target.port, call, rate=half, seconds=seconds, connections=OPEN)

    def bare() -> Times:
        return arrive(bare_port, _select_one, rate=half, seconds=seconds, connections=OPEN)

    of_ours, of_bare = run.in_turns(ours, bare)
    authorize, view = _milliseconds(of_ours, AUTHORIZE), _milliseconds(of_bare, READ)
    p99 = percentile(authorize, 99)
    return [
        Figure("authorize, p99", p99, "ms", Goal(most=10)),
        Figure("authorize, p99", p99, "ms", Goal(most=4), ("bare view", percentile(view, 99))),
        Figure("authorize, p50", percentile(authorize, 50), "ms", None, ("bare view", percentile(view, 50))),
        Figure("calls arrived", half, "calls/s"),
    ]


def _select_one() -> Talk:
    expect((yield request(READ, "/")), 200)


def _milliseconds(rounds: list[Times], kind: str) -> list[float]:
    return [seconds * 1000 for times in rounds for seconds in times.of.get(kind, ())]
