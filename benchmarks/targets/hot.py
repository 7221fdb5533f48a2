"""Many callers on one key, or on one pool of Credits, beside the same on separate ones; and what strangers
notice of a key that is busy, or that somebody holds locked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

from benchmarks.calls import (
    AUTHORIZE,
    SETTLE,
    gated_calls,
    held_calls,
    refused_calls,
    shared_out,
)
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
        *_strangers(run),
        *_forged(run),
    ]


def _beside(run: Run, what: str, hot: Sequence[str], other: str, separate: Sequence[str]) -> Figure:
    def rate_of(keys: Sequence[str]) -> float:
        talks = [_calls(run, share) for share in shared_out(keys, CALLERS)]
        return converse(run.ours.port, talks).rate(SETTLE)

    rate_of(hot), rate_of(separate)  # warms both up
    ours, others = run.in_turns(lambda: rate_of(hot), lambda: rate_of(separate))
    return Figure(what, median(ours), "calls/s", HALF, (other, median(others)))


def _strangers(run: Run) -> list[Figure]:
    """How long strangers wait beside a busy key, and beside one that is stuck."""
    target, key = run.ours, run.ours.keys[0]
    others = target.keys[1:]

    def strangers(crowd: list[Talk]) -> Times:
        own = [_named(STRANGER, _calls(run, share)) for share in shared_out(others, STRANGERS)]
        return converse(target.port, [*own, *crowd])

    def stuck() -> Times:
        with locked(target, key):
            return strangers([_held(run, key) for _ in range(CROWD)])

    run.say("Strangers beside a busy key and beside a stuck one")
    busy, spread, beside_stuck, alone = run.in_turns(
        lambda: strangers([_calls(run, [key]) for _ in range(CROWD)]),
        lambda: strangers([_calls(run, share) for share in shared_out(others, CROWD)]),
        stuck,
        lambda: strangers([]),
    )
    kind = STRANGER + AUTHORIZE
    return [
        _compared("strangers beside 48 on one key", busy, "48 on separate keys", spread, kind, 50),
        _compared("strangers beside 48 on one key", busy, "48 on separate keys", spread, kind, 99),
        _compared("strangers beside a stuck key", beside_stuck, "alone", alone, kind, 50),
        _compared("strangers beside a stuck key", beside_stuck, "alone", alone, kind, 99),
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


def _calls(run: Run, keys: Sequence[str]) -> Talk:
    return gated_calls(run.ours.gateway_key, keys, run.sizes.seconds)


def _held(run: Run, key: str) -> Talk:
    return held_calls(run.ours.gateway_key, key, run.sizes.seconds)


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
