"""Many callers on one key, or on one pool of Credits, beside the same on separate ones; and what strangers
notice of a key that is busy, or that somebody holds locked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

from benchmarks.calls import AUTHORIZE, refused_calls, shared_out, tried_calls
from benchmarks.client import Talk, Times, converse
from benchmarks.figures import Figure, Goal, percentile
from benchmarks.run import Run
from benchmarks.scratch import Scratch
from teams.keytext import key_id_of, key_text

CALLERS, CROWD, STRANGERS = 64, 48, 16
HALF, TWICE = Goal(least=0.5), Goal(most=2)
STRANGER = "stranger: "


def measure(run: Run) -> list[Figure]:
    """Rates in gated calls a second, latencies in milliseconds."""
    target = run.ours
    run.say("One hot key, and one hot pool of Credits")
    return [
        _beside(run, "64 callers, one key", target.keys[:1], "separate keys", target.keys),
        _beside(run, "64 members, one pool", target.pooled, "separate pools", target.apart),
        _apart(run),
        *_strangers(run),
        *_forged(run),
    ]


def _beside(run: Run, what: str, hot: Sequence[str], other: str, separate: Sequence[str]) -> Figure:
    return Figure(what, *_rates(run, hot, other, separate, HALF))


def _apart(run: Run) -> Figure:
    """What calls cost that Credits pay: for information."""
    target = run.ours
    return Figure("Credits pay, separate pools", *_rates(run, target.apart, "quota pays", target.keys, None))


def _rates(
    run: Run, keys: Sequence[str], other: str, others: Sequence[str], goal: Goal | None
) -> tuple[float, str, Goal | None, tuple[str, float]]:
    """Calls that were charged; what is refused because it has waited too long counts for nothing."""

    def rate_of(keys: Sequence[str]) -> float:
        done: list[str] = []
        times = converse(run.ours.port, [_calls(run, share, done) for share in shared_out(keys, CALLERS)])
        return len(done) / times.seconds

    rate_of(keys), rate_of(others)  # warms both up
    ours, beside = run.in_turns(lambda: rate_of(keys), lambda: rate_of(others))
    return median(ours), "calls/s", goal, (other, median(beside))


def _strangers(run: Run) -> list[Figure]:
    """How long strangers wait beside a busy key and beside a stuck one, and whether they are refused."""
    target, key = run.ours, run.ours.keys[0]
    others, kind = target.keys[1:], STRANGER + AUTHORIZE
    refused = 0

    def strangers(crowd: Sequence[Sequence[str]]) -> Times:
        nonlocal refused
        done: list[str] = []
        own = [_named(STRANGER, _calls(run, share, done)) for share in shared_out(others, STRANGERS)]
        times = converse(target.port, [*own, *[_calls(run, keys, []) for keys in crowd]])
        refused += len(times.of[kind]) - len(done)
        return times

    def beside_stuck() -> Times:
        with locked(target, key):
            return strangers([[key]] * CROWD)

    run.say("Strangers beside a busy key and beside a stuck one")
    busy, spread, stuck, alone = run.in_turns(
        lambda: strangers([[key]] * CROWD),
        lambda: strangers(shared_out(others, CROWD)),
        beside_stuck,
        lambda: strangers([]),
    )
    return [
        _compared("strangers beside 48 on one key", busy, "48 on separate keys", spread, kind, 50),
        _compared("strangers beside 48 on one key", busy, "48 on separate keys", spread, kind, 99),
        _compared("strangers beside a stuck key", stuck, "alone", alone, kind, 50),
        _compared("strangers beside a stuck key", stuck, "alone", alone, kind, 99),
        Figure("strangers refused in all of these", refused, "calls", Goal(most=0)),
    ]


def _forged(run: Run) -> list[Figure]:
    """Whether a wrong secret is refused although the key's row is locked. A test of the talk itself: any
    answer but 401 fails the run.
    """
    target, key = run.ours, run.ours.keys[0]
    forged = key_text(root=b"forged", key_id=key_id_of(key) or "", salt=b"")

    def refused() -> Times:
        talks = [refused_calls(target.gateway_key, forged, run.sizes.seconds) for _ in range(STRANGERS)]
        return converse(target.port, talks)

    def refused_while_stuck() -> Times:
        with locked(target, key):
            return refused()

    stuck, free = run.in_turns(refused_while_stuck, refused)
    return [_compared("forged secret, stuck key", stuck, "a free key", free, AUTHORIZE, 50)]


def _calls(run: Run, keys: Sequence[str], done: list[str]) -> Talk:
    return tried_calls(run.ours.gateway_key, keys, run.sizes.seconds, done)


def _compared(
    what: str, ours: list[Times], other: str, others: list[Times], kind: str, percent: int
) -> Figure:
    values, beside = (
        percentile([1000 * seconds for times in rounds for seconds in times.of.get(kind, ())], percent)
        for rounds in (ours, others)
    )
    return Figure(f"{what}, p{percent}", values, "ms", TWICE, (other, beside))


def _named(name: str, talk: Talk) -> Talk:
    """The talk, with this before the kind of each request."""
    asked = next(talk, None)
    while asked is not None:
        answer = yield replace(asked, kind=name + asked.kind)
        try:
            asked = talk.send(answer)
        except StopIteration:
            return


@contextmanager
def locked(target: Scratch, key: str) -> Iterator[None]:
    """Inside, a transaction of ours holds the row of this key."""
    with target.connect() as connection, connection.transaction():
        held = connection.execute(
            "SELECT 1 FROM teams_subscriptionkey WHERE key_id = %s FOR UPDATE", [key_id_of(key)]
        )
        if held.fetchone() is None:
            raise RuntimeError("There is no such key to lock.")
        yield
