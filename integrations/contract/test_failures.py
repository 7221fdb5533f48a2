"""The model fails, and the console is away: nobody pays for what was not answered, and nothing is lost."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from integrations.contract.callers import Caller, meters
from integrations.contract.console import Watch, brief
from integrations.contract.model import ModelServer
from integrations.contract.proxy import SETTLING, ConsoleProxy
from integrations.contract.rules import (
    ANSWER,
    ASK_AGAIN,
    ASK_FIRST,
    CONSOLES_CLOCK,
    ESTIMATE,
    FAIL,
    NEVER_A_YES,
    REFUSE_FULL,
    RELEASE,
    SETTLE_AGAIN,
    must,
)
from integrations.contract.test_answers import HELLO, SECOND
from integrations.contract.test_refusals import seen

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", [500, 429, 0], ids=["500", "429", "hangs up"])
def test_what_the_model_does_not_answer_costs_nothing(
    caller: Caller, watch: Watch, model: ModelServer, status: int, stream: bool
) -> None:
    answer = caller.call(f"fail {status}", stream=stream)
    must(answer.status_code >= 400, FAIL, seen(answer))
    must('"error"' in answer.text, FAIL, seen(answer))
    watch.none(RELEASE)


def test_a_stream_that_breaks_off_is_charged_for_what_was_seen(
    caller: Caller, watch: Watch, model: ModelServer
) -> None:
    caller.call("break 40", stream=True)
    receipt = watch.one(ESTIMATE)
    must(receipt["estimated"], ESTIMATE, brief([receipt]))
    # 40 words of five bytes; a tokenizer of its own may count them otherwise.
    must(20 <= receipt["usage"].get("output_tokens", 0) <= 100, ESTIMATE, brief([receipt]))


def test_the_answer_of_authorize_is_lost(
    caller: Caller, watch: Watch, proxy: ConsoleProxy, model: ModelServer
) -> None:
    with proxy.losing_an_answer("/authorize"):
        answer = caller.call(HELLO)
    assert proxy.lost == 1, "The gateway does not ask the console by --console-proxy"
    must(answer.status_code == 200, ASK_AGAIN, seen(answer))
    watch.receipts(1, ASK_AGAIN)


def test_the_answer_of_a_settlement_is_lost(
    caller: Caller, watch: Watch, proxy: ConsoleProxy, model: ModelServer
) -> None:
    with proxy.losing_an_answer(*SETTLING):
        answer = caller.call(HELLO)
        must(answer.status_code == 200, ANSWER, seen(answer))
        receipt = watch.one(SETTLE_AGAIN)
    assert proxy.lost == 1, "The gateway does not settle by --console-proxy"
    must(receipt["usage"] == meters(model.reported()), SETTLE_AGAIN, brief([receipt]))


def test_nothing_is_allowed_while_the_console_is_away(
    caller: Caller, watch: Watch, proxy: ConsoleProxy, model: ModelServer
) -> None:
    # A gateway that has just been answered is the one that may believe that it needs no answer.
    answer = caller.call(HELLO)
    must(answer.status_code == 200, ANSWER, seen(answer))
    watch.one()
    asked = len(model.asked)
    with proxy.console_away():
        answer = caller.call(HELLO)
    must(answer.status_code == 503 and "Retry-After" in answer.headers, NEVER_A_YES, seen(answer))
    must(len(model.asked) == asked, ASK_FIRST, "the model was asked all the same")
    watch.receipts(1, NEVER_A_YES)


def test_a_call_that_ends_while_the_console_is_away_is_charged_later(
    caller: Caller, watch: Watch, proxy: ConsoleProxy, model: ModelServer
) -> None:
    with caller.stream("drip 15") as (answer, events):
        must(answer.status_code == 200, ANSWER, f"{answer.status_code} to a stream")
        next(events)
        with proxy.console_away():
            list(events)
            must(watch.new() == [], SETTLE_AGAIN, "a charge arrived without the console")
    receipt = watch.one(SETTLE_AGAIN)
    must(receipt["usage"] == meters(model.reported()), SETTLE_AGAIN, brief([receipt]))
    must(not receipt["estimated"], SETTLE_AGAIN, brief([receipt]))


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
def test_a_gateway_with_a_wrong_clock_charges_at_the_consoles_time(
    caller: Caller, watch: Watch, proxy: ConsoleProxy, ahead: timedelta
) -> None:
    before = watch.console.now()
    with proxy.gateway_ahead(ahead):
        answer = caller.call(HELLO)
        must(answer.status_code == 200, CONSOLES_CLOCK, seen(answer))
        receipt = watch.one(CONSOLES_CLOCK)
    at, after = datetime.fromisoformat(receipt["occurred_at"]), watch.console.now()
    must(before - SECOND <= at <= after + SECOND, CONSOLES_CLOCK, f"{before} {at} {after}")


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
def test_a_gateway_with_a_wrong_clock_says_the_consoles_time_to_wait(
    caller: Caller, exhausted_key: str, proxy: ConsoleProxy, ahead: timedelta
) -> None:
    refused = caller.with_key(exhausted_key)
    right = refused.call(HELLO)
    with proxy.gateway_ahead(ahead):
        wrong = refused.call(HELLO)
    for answer in (right, wrong):
        must(answer.headers.get("Retry-After", "").isdigit(), REFUSE_FULL, seen(answer))
    waits = [int(answer.headers["Retry-After"]) for answer in (right, wrong)]
    must(abs(waits[0] - waits[1]) < 60, CONSOLES_CLOCK, f"Retry-After {waits[0]}, and {waits[1]} {ahead} off")
