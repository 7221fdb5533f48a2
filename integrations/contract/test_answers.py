"""A call that is allowed is answered, and charged once, as it was used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from integrations.contract.callers import Caller, meters, whole
from integrations.contract.console import Watch, brief
from integrations.contract.model import ModelServer
from integrations.contract.rules import (
    ANSWER,
    CONSOLES_CLOCK,
    ESTIMATE,
    OWN_IDS,
    PRICE_WHAT_RAN,
    SETTLE,
    STREAM,
    must,
)
from integrations.contract.test_refusals import seen

HELLO = "Say hello. say 3"
# Long for a real model too; the kit's takes half a minute.
LONG = "Count from one to three hundred in words. drip 300"
AT_ONCE = 12
# The Date header knows no parts of seconds.
SECOND = timedelta(seconds=2)


def test_an_answer_is_charged_as_it_was_used(
    caller: Caller, watch: Watch, model_or_none: ModelServer | None
) -> None:
    answer = caller.call(HELLO)
    must(answer.status_code == 200, ANSWER, seen(answer))
    heard = whole(answer)
    must(heard.text, ANSWER, seen(answer))
    receipt = watch.one()
    used = meters(model_or_none.reported() if model_or_none else heard.reported)
    must(receipt["usage"] == used, SETTLE, f"{brief([receipt])}; the model reported {used}")
    must(not receipt["estimated"], SETTLE, "the model has reported the usage, yet it is marked as estimated")
    must(receipt["model"] == caller.model, SETTLE, brief([receipt]))


def test_a_stream_is_handed_on_as_it_is_written_and_charged_as_it_was_used(
    caller: Caller, watch: Watch, model_or_none: ModelServer | None
) -> None:
    with caller.stream("Say hello. say 5") as (answer, events):
        must(answer.status_code == 200, ANSWER, f"{answer.status_code} to a stream")
        kind = answer.headers.get("Content-Type", "")
        must(kind.startswith("text/event-stream"), STREAM, f"Content-Type: {kind}")
        *_, heard = events
    must(heard.text, STREAM, "no text in the events")
    receipt = watch.one()
    used = meters(model_or_none.reported() if model_or_none else heard.reported)
    must(receipt["usage"] == used, SETTLE, f"{brief([receipt])}; the model reported {used}")
    must(not receipt["estimated"], SETTLE, "the model has reported the usage, yet it is marked as estimated")


def test_a_stream_that_its_caller_leaves_is_charged_for_what_was_seen(
    caller: Caller, watch: Watch, model_or_none: ModelServer | None
) -> None:
    with caller.stream(LONG, max_tokens=4000) as (answer, events):
        must(answer.status_code == 200, ANSWER, f"{answer.status_code} to a stream")
        for heard in events:
            if heard.words == 5:
                must(watch.new() == [], STREAM, "the call was charged before its stream has ended")
                break
    receipt = watch.one(ESTIMATE)
    must(receipt["estimated"], ESTIMATE, brief([receipt]))
    must(receipt["usage"].get("output_tokens"), ESTIMATE, f"no output was charged: {brief([receipt])}")
    must(receipt["usage"].get("input_tokens"), ESTIMATE, f"no input was charged: {brief([receipt])}")
    if model_or_none:
        written = receipt["usage"]["output_tokens"]
        must(written < 300, ESTIMATE, f"{written} tokens are charged of a stream left after five words")


def test_a_call_that_is_repeated_is_charged_again_whatever_id_its_caller_gives(
    caller: Caller, watch: Watch
) -> None:
    mine = {"x-request-id": "mine", "idempotency-key": "mine", "x-litellm-call-id": "mine"}
    for _ in range(2):
        answer = caller.call(HELLO, headers=mine, metadata={"user_id": "mine"})
        must(answer.status_code == 200, ANSWER, seen(answer))
    watch.receipts(2, OWN_IDS)


def test_the_same_call_many_times_at_once_is_as_many_charges(callers: list[Caller], watch: Watch) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        calls = [pool.submit(callers[number % 2].call, HELLO) for number in range(AT_ONCE)]
    refused = [seen(one.result()) for one in calls if one.result().status_code != 200]
    must(not refused, ANSWER, refused)
    watch.receipts(AT_ONCE)


def test_a_fallback_is_charged_as_the_model_that_ran(
    caller: Caller, watch: Watch, fallback: tuple[str, str]
) -> None:
    asked, ran = fallback
    answer = caller.asking_for(asked).call(HELLO)
    must(answer.status_code == 200, ANSWER, seen(answer))
    receipt = watch.one()
    must(receipt["model"] == ran, PRICE_WHAT_RAN, brief([receipt]))


def test_a_receipt_bears_the_consoles_time(caller: Caller, watch: Watch) -> None:
    """Also where the clock of the gateway's machine is wrong: run the kit against one that is."""
    before = watch.console.now()
    must((answer := caller.call(HELLO)).status_code == 200, ANSWER, seen(answer))
    receipt = watch.one()
    at, after = datetime.fromisoformat(receipt["occurred_at"]), watch.console.now()
    must(before - SECOND <= at <= after + SECOND, CONSOLES_CLOCK, f"{before} {at} {after}")
