"""What a gateway says to the console, and a key holder or a browser: talks for `client`, each for as many
seconds.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, cycle, islice

from benchmarks.client import Answer, Request, Talk, converse, expect, request, until

MODEL = "MiniMax-M2.7"
ESTIMATE = {"input_tokens": 1000, "output_tokens": 100}
SMALL_LEASE_NANOUSD = 10_000_000_000  # bulk draws from larger ones
USAGE = {"input_tokens": 1000, "output_tokens": 20}
# The kinds of answers, in `Times`.
AUTHORIZE, SETTLE, READ, BULK = "authorize", "settle", "read", "bulk"


def authorization(gateway_key: str, key: str) -> Request:
    """One call is asked for."""
    ask = {"request_id": uuid.uuid4().hex, "key": key, "model": MODEL, "estimate": ESTIMATE}
    return _post(AUTHORIZE, "authorize", gateway_key, ask)


def settlement(gateway_key: str, reservation: str, *, kind: str = SETTLE, **more: str) -> Request:
    """The call was made. A lease does not know of which model: `more` says it."""
    return _post(kind, f"reservations/{reservation}/settle", gateway_key, {"usage": USAGE, **more})


def reported(kind: str, gateway_key: str, event: Mapping[str, object]) -> Request:
    """One event alone."""
    return _post(kind, "events", gateway_key, {"events": [event]})


def reservation_of(answer: Answer) -> str:
    """Which hold an authorize was answered with."""
    return str(json.loads(answer.body)["reservation"])


def gated_call(gateway_key: str, key: str) -> Talk:
    """One authorize and its settle; raises RuntimeError unless it was allowed and charged."""
    answer = yield authorization(gateway_key, key)
    expect(answer, 201)
    answer = yield settlement(gateway_key, reservation_of(answer))
    expect(answer, 200)


def gated_calls(gateway_key: str, keys: Sequence[str], seconds: float) -> Talk:
    """One gated call after another, with each key in turn."""
    for key, _passed in zip(cycle(keys), until(seconds)):
        yield from gated_call(gateway_key, key)


def so_many_calls(port: int, gateway_key: str, keys: Sequence[str], calls: int, *, connections: int) -> None:
    """So many gated calls in all, with each key in turn."""
    each = islice(cycle(keys), calls)

    def talk() -> Talk:
        for key in each:
            yield from gated_call(gateway_key, key)

    converse(port, [talk() for _ in range(connections)])


def tried_calls(gateway_key: str, keys: Sequence[str], seconds: float, done: list[str]) -> Talk:
    """As `gated_calls`, with keys that others hold locked: 503 is an answer too. The reservations of the
    calls that were charged are added to `done`.
    """
    for key, _passed in zip(cycle(keys), until(seconds), strict=False):
        answer = yield authorization(gateway_key, key)
        expect(answer, 201, 503)
        if answer.status == 201:
            reservation = reservation_of(answer)
            answer = yield settlement(gateway_key, reservation)
            expect(answer, 200, 503)
            if answer.status == 200:
                done.append(reservation)


def refused_calls(gateway_key: str, key: str, seconds: float) -> Talk:
    """Asks for calls with a key that is refused, as it has to be, by 401."""
    for _passed in until(seconds):
        expect((yield authorization(gateway_key, key)), 401)


def reads(path: str, seconds: float, **headers: str) -> Talk:
    """Reads one address again and again."""
    asked = request(READ, path, **headers)
    for _passed in until(seconds):
        expect((yield asked), 200)


def polls(path: str, seconds: float, **headers: str) -> Talk:
    """Asks for one address again and again as a page does, which has what it was answered last."""
    asked = request(READ, path, **headers)
    for _passed in until(seconds):
        answer = yield asked
        expect(answer, 200, 304)
        if answer.status == 200:
            asked = request(READ, path, **headers, If_None_Match=answer.header("etag"))


def bulk(gateway_key: str, path: str, batches: Iterator[dict[str, object]], seconds: float) -> Talk:
    """Sends batches of rows, of which each has to be accepted, until the time is over or there is no more."""
    for batch, _passed in zip(batches, until(seconds), strict=False):
        (rows,) = batch.values()
        answer = yield _post(BULK, path, gateway_key, batch)
        expect(answer, 200)
        said = json.loads(answer.body)
        if not isinstance(rows, Sequence) or said["accepted"] != len(rows):
            raise RuntimeError(f"Rows were not accepted: {said['rejected'][:1]}")


def lease(gateway_key: str, key: str, nanousd: int) -> Request:
    """A hold that many calls are drawn from."""
    ask = {
        "request_id": uuid.uuid4().hex,
        "key": key,
        "hold_nanousd": nanousd,
        "lifetime_seconds": 3600,
    }
    return _post(AUTHORIZE, "authorize", gateway_key, ask)


def leases(gateway_key: str, keys: Sequence[str], seconds: float) -> Talk:
    """One lease after another, with each key in turn, which a report of one call closes."""
    for key, _passed in zip(cycle(keys), until(seconds)):
        answer = yield lease(gateway_key, key, SMALL_LEASE_NANOUSD)
        expect(answer, 201)
        expect((yield settlement(gateway_key, reservation_of(answer), model=MODEL)), 200)


def completion(master_key: str, seconds: float) -> Talk:
    """Calls of a model by OpenAI's protocol, one after another."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    asked = request(
        READ, "/v1/chat/completions", method="POST", body=body, Authorization=f"Bearer {master_key}"
    )
    for _passed in until(seconds):
        expect((yield asked), 200)


def shared_out(keys: Sequence[str], connections: int) -> list[Sequence[str]]:
    """The keys of each connection: its own, as far as there are enough."""
    return [keys[number::connections] or [keys[number % len(keys)]] for number in range(connections)]


_numbers = count()


def unique(prefix: str) -> str:
    """A text that this run has not used before, nor an earlier one on the same data."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}-{next(_numbers)}"


def _post(kind: str, path: str, gateway_key: str, body: object) -> Request:
    headers = {"Authorization": f"Bearer {gateway_key}"}
    return request(kind, f"/api/v1/gateway/{path}", method="POST", body=body, **headers)
